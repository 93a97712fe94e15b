package server_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance"
	"mcpentra/conformance/engine"
	"mcpentra/fakeentra"
	"mcpentra/server"
)

// TestHTTP2OverTLS holds the server to the checks of HTTP/2 as browsers and most proxies speak it.
func TestHTTP2OverTLS(t *testing.T) {
	t.Parallel()
	fake := fakeentra.NewServer(fakeentra.Config{Directory: apiDirectory()})
	t.Cleanup(fake.Close)
	listening := httptest.NewUnstartedServer(nil)
	listening.EnableHTTP2 = true
	origin := "https://" + listening.Listener.Addr().String()
	config := configFor(t, origin)
	direct(fake)(&config)
	made, err := server.New(t.Context(), config)
	require.NoError(t, err)
	versions := make(chan string, 1)
	listening.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Proto, "HTTP/2") {
			select {
			case versions <- r.Proto:
			default:
			}
		}
		made.ServeHTTP(w, r)
	})
	listening.StartTLS()
	t.Cleanup(listening.Close)
	target := directTarget(t, origin+"/mcp", fake)
	target.HTTPClient = listening.Client()
	for _, check := range conformance.Checks() {
		if strings.HasPrefix(check.ID, "server/http2/") {
			result := engine.Run(t.Context(), check, target)[0]
			assert.Equal(t, engine.Pass, result.Verdict, "%s: %v", check.ID, result.Err)
		}
	}
	require.Len(t, versions, 1, "a request over HTTP/2")
	assert.Equal(t, "HTTP/2.0", <-versions)
}
