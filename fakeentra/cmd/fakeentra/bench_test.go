package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra/directory"
)

// BenchmarkMemory is the most memory that the program ever had, in MB of resident set, under the
// load of the figures about speed, from four clients at a time: 880 tokens for an app, 440 flows
// with a code, and 22 000 discovery documents.
func BenchmarkMemory(b *testing.B) {
	program := filepath.Join(b.TempDir(), "fakeentra")
	output, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(b, err, "%s", output)
	for b.Loop() {
		fake := startProgram(b, program, "--addr", "127.0.0.1:0", "--auto-sign-in", "--quiet")
		load(b, fake.URL)
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", fake.Process.Pid))
		require.NoError(b, err)
		found := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
		require.NotNil(b, found, "%s", status)
		peak, err := strconv.Atoi(string(found[1]))
		require.NoError(b, err)
		b.ReportMetric(float64(peak)/1024, "MB")
		b.ReportMetric(25, "MB<=")
	}
}

func load(b *testing.B, address string) {
	transport := &http.Transport{MaxIdleConnsPerHost: 4}
	defer transport.CloseIdleConnections()
	tenant := address + "/" + directory.DefaultTenantID
	send := func(want int, r *http.Request, err error) *http.Response {
		require.NoError(b, err)
		response, err := transport.RoundTrip(r)
		require.NoError(b, err)
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		require.NoError(b, err)
		require.Equal(b, want, response.StatusCode, "%s", body)
		return response
	}
	token := func(form url.Values) {
		form.Set("client_id", directory.DefaultClientID)
		form.Set("client_secret", directory.DefaultClientSecret)
		r, err := http.NewRequest(http.MethodPost, tenant+"/oauth2/v2.0/token", bytes.NewReader([]byte(form.Encode())))
		require.NoError(b, err)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		send(http.StatusOK, r, nil)
	}
	const redirect = "http://localhost:8000/auth/callback"
	const verifier = "a-verifier-of-forty-three-characters-at-the-least"
	sum := sha256.Sum256([]byte(verifier))
	query := url.Values{
		"client_id":             {directory.DefaultClientID},
		"response_type":         {"code"},
		"redirect_uri":          {redirect},
		"scope":                 {"openid profile offline_access api://" + directory.DefaultAPIID + "/tool.read"},
		"code_challenge":        {base64.RawURLEncoding.EncodeToString(sum[:])},
		"code_challenge_method": {"S256"},
	}.Encode()
	clientCredentials := func() {
		token(url.Values{
			"grant_type": {"client_credentials"},
			"scope":      {"api://" + directory.DefaultAPIID + "/.default"},
		})
	}
	codeFlow := func() {
		r, err := http.NewRequest(http.MethodGet, tenant+"/oauth2/v2.0/authorize?"+query, nil)
		location, err := send(http.StatusFound, r, err).Location()
		require.NoError(b, err)
		token(url.Values{
			"grant_type":    {"authorization_code"},
			"code":          {location.Query().Get("code")},
			"redirect_uri":  {redirect},
			"code_verifier": {verifier},
		})
	}
	discovery := func() {
		r, err := http.NewRequest(http.MethodGet, tenant+"/v2.0/.well-known/openid-configuration", nil)
		send(http.StatusOK, r, err)
	}
	work := []struct {
		times int
		do    func()
	}{
		{880, clientCredentials},
		{440, codeFlow},
		{22_000, discovery},
	}
	for _, part := range work {
		turns := make(chan struct{})
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				for range turns {
					part.do()
				}
			})
		}
		for range part.times {
			turns <- struct{}{}
		}
		close(turns)
		group.Wait()
	}
}
