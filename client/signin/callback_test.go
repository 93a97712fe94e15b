package signin_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
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

// waiting is a callback that waits for an answer with the state "right".
func waiting(t *testing.T, redirectURI string) (*signin.Callback, *http.Client) {
	callback, err := signin.Listen(redirectURI)
	require.NoError(t, err)
	callback.Serve("right")
	t.Cleanup(callback.Close)
	transport := &http.Transport{DisableKeepAlives: true}
	return callback, &http.Client{Transport: transport}
}

func get(t *testing.T, client *http.Client, address string) (int, http.Header, string) {
	response, err := client.Get(address)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, response.Header, string(text)
}

func TestCallbackTakesTheAnswerOnce(t *testing.T) {
	t.Parallel()
	callback, client := waiting(t, "http://localhost/callback")
	assert.Regexp(t, `^http://localhost:\d+/callback$`, callback.RedirectURI)
	status, header, page := get(t, client, callback.RedirectURI+"?code=c-1&state=right&iss=x")
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, page, "You are signed in")
	assert.NotContains(t, page, "c-1")
	_, script, _ := strings.Cut(page, "<script>")
	script, _, _ = strings.Cut(script, "</script>")
	assert.Contains(t, script, "history.replaceState")
	sum := sha256.Sum256([]byte(script))
	allowed := "script-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "';"
	assert.Contains(t, header.Get("Content-Security-Policy"), allowed, "this script runs, and no other")
	assert.Contains(t, header.Get("Content-Security-Policy"), "default-src 'none'")
	assert.Equal(t, "no-referrer", header.Get("Referrer-Policy"))
	assert.Equal(t, "no-store", header.Get("Cache-Control"))

	status, _, page = get(t, client, callback.RedirectURI+"?code=c-2&state=right")
	assert.Equal(t, http.StatusConflict, status)
	assert.Contains(t, page, "has had its answer already")

	params, err := callback.Wait(t.Context())
	require.NoError(t, err)
	assert.Equal(t, url.Values{"code": {"c-1"}, "state": {"right"}, "iss": {"x"}}, params)
}

func TestCallbackListensOnBothLoopbacks(t *testing.T) {
	t.Parallel()
	callback, _ := waiting(t, "http://localhost/callback")
	redirect, err := url.Parse(callback.RedirectURI)
	require.NoError(t, err)
	for _, loopback := range []string{"127.0.0.1", "::1"} {
		dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort(loopback, redirect.Port()))
		}
		if probe, err := net.Listen("tcp", net.JoinHostPort(loopback, "0")); err != nil {
			t.Logf("no loopback %s on this machine", loopback)
			continue
		} else {
			require.NoError(t, probe.Close())
		}
		client := &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
		status, _, _ := get(t, client, callback.RedirectURI+"?state=wrong")
		assert.Equal(t, http.StatusBadRequest, status, loopback)
	}
}

func TestWhatIsNotTheAnswerChangesNothing(t *testing.T) {
	t.Parallel()
	callback, client := waiting(t, "http://localhost/callback")
	redirect, err := url.Parse(callback.RedirectURI)
	require.NoError(t, err)
	origin := "http://" + redirect.Host
	for name, c := range map[string]struct {
		method, address, host string
		status                int
	}{
		"a wrong state":              {"GET", callback.RedirectURI + "?code=c&state=wrong", "", 400},
		"no state":                   {"GET", callback.RedirectURI + "?code=c", "", 400},
		"the state twice":            {"GET", callback.RedirectURI + "?code=c&state=right&state=right", "", 400},
		"an error without the state": {"GET", callback.RedirectURI + "?error=access_denied", "", 400},
		"a query that is none":       {"GET", callback.RedirectURI + "?state=right&code=%zz", "", 400},
		"a long query":               {"GET", callback.RedirectURI + "?state=right&code=" + strings.Repeat("x", 17<<10), "", 400},
		"another path":               {"GET", origin + "/?code=c&state=right", "", 404},
		"a path below":               {"GET", callback.RedirectURI + "/x?code=c&state=right", "", 404},
		"a name bound to loopback":   {"GET", callback.RedirectURI + "?code=c&state=right", "rebound.example.com:" + redirect.Port(), 404},
		"another method":             {"POST", callback.RedirectURI + "?code=c&state=right", "", 405},
		"a request for the head":     {"HEAD", callback.RedirectURI + "?code=c&state=right", "", 405},
	} {
		request, err := http.NewRequestWithContext(t.Context(), c.method, c.address, nil)
		require.NoError(t, err)
		request.Host = c.host
		response, err := client.Do(request)
		require.NoError(t, err, name)
		require.NoError(t, response.Body.Close())
		assert.Equal(t, c.status, response.StatusCode, name)
	}
	none, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = callback.Wait(none)
	require.ErrorIs(t, err, context.Canceled, "nothing of that was an answer")

	status, _, page := get(
		t,
		client,
		callback.RedirectURI+"?error=access_denied&state=right&error_description=%3Cscript%3E",
	)
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, page, "You are not signed in")
	assert.NotContains(t, strings.ToLower(page), "%3cscript")
	assert.Equal(t, 1, strings.Count(page, "<script>"), "the page's own")
	params, err := callback.Wait(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "access_denied", params.Get("error"))
}

func TestAnswerThatCameBeforeTheEndCounts(t *testing.T) {
	t.Parallel()
	for range 20 { // a select between two that are ready takes either
		callback, client := waiting(t, "http://localhost/callback")
		get(t, client, callback.RedirectURI+"?code=c&state=right")
		over, cancel := context.WithCancel(t.Context())
		cancel()
		params, err := callback.Wait(over)
		require.NoError(t, err)
		assert.Equal(t, "c", params.Get("code"))
	}
}

func TestOneAnswerOfMany(t *testing.T) {
	t.Parallel()
	callback, client := waiting(t, "http://localhost/callback")
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
	taken := 0
	for status := range statuses {
		if status == http.StatusOK {
			taken++
		}
	}
	assert.Equal(t, 1, taken)
}

func TestAddressesToWaitAt(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"https://localhost/callback", "http://example.com/callback", "http://192.0.2.1/callback", "http://0.0.0.0/callback", "localhost:3000",
		"http://localhost/callback?x=y", "http://localhost/callback#x", "", "http://localhost:99999/callback",
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

func TestPortThatIsTaken(t *testing.T) {
	t.Parallel()
	first, _ := waiting(t, "http://localhost/callback")
	_, err := signin.Listen(first.RedirectURI)
	require.ErrorContains(t, err, "in use")
}
