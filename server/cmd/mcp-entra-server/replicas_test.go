package main_test

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/loopback/loopbacktest"
	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/useragent"
	"mcpentra/server/internal/engine"
)

// replicas are several processes of the server behind one public URL.
type replicas struct {
	client    oauthClient
	addresses []string
	processes []*exec.Cmd
	// pick returns the replica for a request to the public URL. It may be changed between requests.
	pick     atomic.Pointer[func(r *http.Request) int]
	settings []string
}

// newReplicas serves a public URL, and makes the settings of its replicas. None runs yet.
func newReplicas(t testing.TB, storeURL string) *replicas {
	t.Helper()
	r := &replicas{}
	front := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(request *httputil.ProxyRequest) {
			target, err := url.Parse(r.addresses[(*r.pick.Load())(request.In)])
			if assert.NoError(t, err) {
				request.SetURL(target)
			}
			request.Out.Host = request.In.Host
		},
		ErrorLog: log.New(io.Discard, "", 0), // tests stop replicas
	})
	t.Cleanup(front.Close)
	fake := fakeentra.NewServer(fakeentra.Config{})
	t.Cleanup(fake.Close)
	transport := &http.Transport{MaxIdleConnsPerHost: 100}
	t.Cleanup(transport.CloseIdleConnections)
	r.client = oauthClient{
		origin: strings.Replace(front.URL, "127.0.0.1", "localhost", 1),
		http:   &http.Client{Transport: transport},
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	keys := filepath.Join(t.TempDir(), "mcp.keys")
	require.NoError(t, os.WriteFile(keys, []byte(base64.StdEncoding.EncodeToString(key)+"\n"), 0o600))
	r.settings = []string{
		"AUTH_AUTHORITY=" + fake.URL,
		"AUTH_TENANT_ID=" + directory.DefaultTenantID,
		"AUTH_CLIENT_ID=" + directory.DefaultClientID,
		"AUTH_CLIENT_SECRET=" + directory.DefaultClientSecret,
		"MCP_PUBLIC_URL=" + r.client.origin,
		"MCP_KEYS_FILE=" + keys,
		"MCP_REGISTRATIONS_PER_MINUTE=100000",
		"STORE_URL=" + storeURL,
	}
	return r
}

// start starts another replica.
func (r *replicas) start(t testing.TB) {
	t.Helper()
	port := loopbacktest.Port(t)
	r.addresses = append(r.addresses, "http://127.0.0.1:"+port)
	r.processes = append(r.processes, nil)
	r.restart(t, len(r.addresses)-1)
}

// restart starts a replica at its address.
func (r *replicas) restart(t testing.TB, i int) {
	t.Helper()
	address := strings.TrimPrefix(r.addresses[i], "http://")
	r.processes[i] = exec.Command(filepath.Join(programs, "mcp-entra-server"))
	startProcess(t, regexp.QuoteMeta("listening on "+address), r.processes[i],
		append(r.settings, "MCP_ADDR="+address)...)
}

// kill kills a replica with SIGKILL.
func (r *replicas) kill(t testing.TB, i int) {
	t.Helper()
	require.NoError(t, r.processes[i].Process.Kill())
	_ = r.processes[i].Wait()
}

// TestReplicasShareStore runs each step of a sign-in at another replica.
func TestReplicasShareStore(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(testing.TB) string{
		"PostgreSQL": engine.Postgres,
		"Redis":      engine.Redis,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReplicas(t, open(t))
			r.start(t)
			r.start(t)
			useReplicas(t, r)
		})
	}
}

func useReplicas(t *testing.T, r *replicas) {
	t.Helper()
	a := r.addresses[0]
	b := r.addresses[1]
	byStep := func(request *http.Request) int {
		if request.URL.Path == "/auth/callback" {
			return 1
		}
		return 0
	}
	var last atomic.Int64
	inTurn := func(*http.Request) int { return int(last.Add(1) % 2) }
	for name, pick := range map[string]func(*http.Request) int{"by step": byStep, "in turn": inTurn} {
		r.pick.Store(&pick)
		client := r.client
		client.register(t)
		code, redirect, err := client.authorize(t.Context(), &useragent.Browser{})
		require.NoError(t, err)
		first, err := client.at(a).redeem(t.Context(), code, redirect)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, first.Status, "%s: %s", name, first.Error)
		second, err := client.at(b).refresh(t.Context(), first.RefreshToken)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, second.Status, "%s: %s", name, second.Error)
		for _, address := range r.addresses {
			status, err := client.at(address).call(t.Context(), second.AccessToken)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, status)
		}

		revoked, err := client.at(a).revoke(t.Context(), second.RefreshToken)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, revoked.Status)
		since := time.Now()
		for status := 0; status != http.StatusUnauthorized; {
			sent := time.Since(since)
			status, err = client.at(b).call(t.Context(), second.AccessToken)
			require.NoError(t, err)
			require.True(t, status == http.StatusUnauthorized || sent < 2*time.Second,
				"a call %v after the revocation: %d", sent, status)
		}
		refused, err := client.at(b).refresh(t.Context(), second.RefreshToken)
		require.NoError(t, err)
		assert.Equal(t, "invalid_grant", refused.Error)
	}
}

// TestReplicasNeedKeysFile starts the program without a keys file, and with a URL that is wrong.
func TestReplicasNeedKeysFile(t *testing.T) {
	t.Parallel()
	needsKeysFile(t, "postgres://u:hush@localhost:1/d", map[string]string{
		"MCP_KEYS_FILE=": "MCP_KEYS_FILE is missing: .*PostgreSQL",
		"MCP_ADDR=":      "STORE_URL: .*PostgreSQL cannot be reached",
	})
	needsKeysFile(t, "redis://u:hush@localhost:1", map[string]string{
		"MCP_KEYS_FILE=": "STORE_URL .*Redis, and MCP_KEYS_FILE is missing",
		"MCP_ADDR=":      "STORE_URL cannot be used: .*connection refused",
	})
}

// needsKeysFile starts the program without each of some settings. Its output must match.
func needsKeysFile(t *testing.T, storeURL string, without map[string]string) {
	t.Helper()
	r := newReplicas(t, storeURL)
	for remove, want := range without {
		program := exec.Command(filepath.Join(programs, "mcp-entra-server"), "--addr", "localhost:0")
		program.Dir = t.TempDir()
		program.Env = []string{"HOME=" + program.Dir}
		for _, setting := range r.settings {
			if !strings.HasPrefix(setting, remove) {
				program.Env = append(program.Env, setting)
			}
		}
		output, err := program.CombinedOutput()
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
		assert.Equal(t, 2, exit.ExitCode())
		assert.Regexp(t, want, string(output))
		assert.NotContains(t, string(output), "hush", fmt.Sprint(remove))
	}
}
