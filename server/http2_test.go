package server_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers"
	"mcpentra/fakeentra"
	"mcpentra/server"
)

// TestHTTP2Conforms runs the checks of HTTP/2 over TLS, as browsers and most proxies speak it.
func TestHTTP2Conforms(t *testing.T) {
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
	report, err := servers.Run(t.Context(), target, check.Selection{IDs: []string{"server/http2"}})
	require.NoError(t, err)
	for _, result := range report.Results {
		assert.Equal(t, check.Pass, result.Verdict, "%s: %v", result.Name(), result.Err)
	}
	require.Len(t, versions, 1, "a request over HTTP/2")
	assert.Equal(t, "HTTP/2.0", <-versions)
}
