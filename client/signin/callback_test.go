package signin_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/signin"
)

func TestCallbackAcceptsResponseOnce(t *testing.T) {
	t.Parallel()
	callback, client := listen(t, "http://localhost/callback")
	assert.Regexp(t, `^http://localhost:\d+/callback$`, callback.RedirectURI)
	status, header, page := get(t, client, callback.RedirectURI+"?code=c-1&state=right&iss=x")
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, page, "You are signed in")
	assert.NotContains(t, page, "c-1")
	assert.Equal(t, "no-referrer", header.Get("Referrer-Policy"))
	assert.Equal(t, "no-store", header.Get("Cache-Control"))

	status, _, page = get(t, client, callback.RedirectURI+"?code=c-2&state=right")
	assert.Equal(t, http.StatusConflict, status)
	assert.Contains(t, page, "already has its answer")

	params, err := callback.Wait(t.Context())
	require.NoError(t, err)
	assert.Equal(t, url.Values{"code": {"c-1"}, "state": {"right"}, "iss": {"x"}}, params)
}

// TestCallbackPageRunsOneScript has the script that takes the code out of the browser's history.
func TestCallbackPageRunsOneScript(t *testing.T) {
	t.Parallel()
	callback, client := listen(t, "http://localhost/callback")
	_, header, page := get(t, client, callback.RedirectURI+"?code=c-1&state=right")
	_, script, _ := strings.Cut(page, "<script>")
	script, _, _ = strings.Cut(script, "</script>")
	assert.Contains(t, script, "history.replaceState")
	sum := sha256.Sum256([]byte(script))
	policy := header.Get("Content-Security-Policy")
	assert.Contains(t, policy, "script-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"';")
	assert.Contains(t, policy, "default-src 'none'")
}

func TestCallbackListensOnBothLoopbacks(t *testing.T) {
	t.Parallel()
	callback, _ := listen(t, "http://localhost/callback")
	redirect, err := url.Parse(callback.RedirectURI)
	require.NoError(t, err)
	for _, loopback := range []string{"127.0.0.1", "::1"} {
		probe, err := net.Listen("tcp", net.JoinHostPort(loopback, "0"))
		if err != nil {
			t.Logf("this machine has no loopback address %s", loopback)
			continue
		}
		require.NoError(t, probe.Close())
		dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort(loopback, redirect.Port()))
		}
		client := &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
		status, _, _ := get(t, client, callback.RedirectURI+"?state=wrong")
		assert.Equal(t, http.StatusBadRequest, status, loopback)
	}
}

func TestCallbackIgnoresOtherRequests(t *testing.T) {
	t.Parallel()
	callback, client := listen(t, "http://localhost/callback")
	redirect, err := url.Parse(callback.RedirectURI)
	require.NoError(t, err)
	uri := callback.RedirectURI
	origin := "http://" + redirect.Host
	rebound := "rebound.example.com:" + redirect.Port()
	for _, c := range []struct {
		name, method, address, host string
		status                      int
	}{
		{"wrong state", "GET", uri + "?code=c&state=wrong", "", 400},
		{"no state", "GET", uri + "?code=c", "", 400},
		{"repeated state", "GET", uri + "?code=c&state=right&state=right", "", 400},
		{"error without the state", "GET", uri + "?error=access_denied", "", 400},
		{"malformed query", "GET", uri + "?state=right&code=%zz", "", 400},
		{"long query", "GET", uri + "?state=right&code=" + strings.Repeat("x", 17<<10), "", 400},
		{"another path", "GET", origin + "/?code=c&state=right", "", 404},
		{"path below", "GET", uri + "/x?code=c&state=right", "", 404},
		{"name rebound to loopback", "GET", uri + "?code=c&state=right", rebound, 404},
		{"POST", "POST", uri + "?code=c&state=right", "", 405},
		{"HEAD", "HEAD", uri + "?code=c&state=right", "", 405},
	} {
		request, err := http.NewRequestWithContext(t.Context(), c.method, c.address, nil)
		require.NoError(t, err)
		request.Host = c.host
		response, err := client.Do(request)
		require.NoError(t, err, c.name)
		require.NoError(t, response.Body.Close())
		assert.Equal(t, c.status, response.StatusCode, c.name)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = callback.Wait(canceled)
	require.ErrorIs(t, err, context.Canceled, "none of the requests was the response")

	get(t, client, uri+"?code=c&state=right")
	params, err := callback.Wait(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "c", params.Get("code"))
}

func TestCallbackAcceptsError(t *testing.T) {
	t.Parallel()
	callback, client := listen(t, "http://localhost/callback")
	const query = "?error=access_denied&state=right&error_description=%3Cscript%3E"
	status, _, page := get(t, client, callback.RedirectURI+query)
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, page, "You are not signed in")
	assert.NotContains(t, strings.ToLower(page), "%3cscript")
	assert.Equal(t, 1, strings.Count(page, "<script>"), "the page's own script")
	params, err := callback.Wait(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "access_denied", params.Get("error"))
}

func TestWaitPrefersResponseToCancellation(t *testing.T) {
	t.Parallel()
	for range 20 { // select chooses at random
		callback, client := listen(t, "http://localhost/callback")
		get(t, client, callback.RedirectURI+"?code=c&state=right")
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		params, err := callback.Wait(canceled)
		require.NoError(t, err)
		assert.Equal(t, "c", params.Get("code"))
	}
}

func TestCallbackAcceptsOneOfConcurrentResponses(t *testing.T) {
	t.Parallel()
	callback, client := listen(t, "http://localhost/callback")
	var group sync.WaitGroup
	statuses := make(chan int, 8)
	for i := range cap(statuses) {
		group.Go(func() {
			response, err := client.Get(fmt.Sprintf("%s?code=%d&state=right", callback.RedirectURI, i))
			if assert.NoError(t, err) {
				assert.NoError(t, response.Body.Close())
				statuses <- response.StatusCode
			}
		})
	}
	group.Wait()
	close(statuses)
	accepted := 0
	for status := range statuses {
		if status == http.StatusOK {
			accepted++
		}
	}
	assert.Equal(t, 1, accepted)
}

func TestListenChecksRedirectURI(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"",
		"localhost:3000",
		"https://localhost/callback",
		"http://example.com/callback",
		"http://192.0.2.1/callback",
		"http://0.0.0.0/callback",
		"http://localhost/callback?x=y",
		"http://localhost/callback#x",
		"http://localhost:99999/callback",
	} {
		callback, err := signin.Listen(address)
		if !assert.ErrorContains(t, err, "redirect URI", address) {
			callback.Close()
		}
	}
	callback, err := signin.Listen("http://127.0.0.1")
	require.NoError(t, err)
	callback.Close()
	assert.Regexp(t, `^http://127\.0\.0\.1:\d+$`, callback.RedirectURI)
}

func TestListenReportsUsedPort(t *testing.T) {
	t.Parallel()
	first, _ := listen(t, "http://localhost/callback")
	_, err := signin.Listen(first.RedirectURI)
	require.ErrorContains(t, err, "in use")
}
