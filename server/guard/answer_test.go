package guard_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestGuardedHeadersAreOnlyTheGuards has a handler that sets them early, in an informational
// answer, and late, as trailers. It runs over a socket, since net/http decides which headers become
// trailers.
func TestGuardedHeadersAreOnlyTheGuards(t *testing.T) {
	t.Parallel()
	guarded := []string{"Set-Cookie", "Access-Control-Allow-Origin", "Cache-Control", "Vary", "Mcp-Session-Id"}
	next := &recorder{answer: func(w http.ResponseWriter, _ *http.Request) {
		for _, name := range guarded {
			w.Header().Set(name, "canary")
		}
		w.WriteHeader(http.StatusEarlyHints)
		clear(w.Header())
		w.Header().Set("Trailer", strings.Join(guarded[:3], ", "))
		w.Header().Add("Trailer", "X-Cost")
		_, _ = io.WriteString(w, "{}")
		for _, name := range guarded {
			w.Header().Set(name, "canary")
			w.Header().Set(http.TrailerPrefix+name, "canary")
			w.Header().Set(http.TrailerPrefix+strings.ToLower(name), "canary")
		}
		w.Header().Set("X-Cost", "3")
	}}
	g := newGuard(t, baseConfig(), next)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Host = "mcp.example"
		g.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	var informational atomic.Int32
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(int, textproto.MIMEHeader) error {
			informational.Add(1)
			return nil
		},
	})
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL, strings.NewReader(ping))
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer good")
	r.Header.Set("Content-Type", "application/json")
	answer, err := server.Client().Do(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	_, err = io.ReadAll(answer.Body)
	require.NoError(t, err)
	assert.Equal(t, http.Header{"X-Cost": {"3"}}, answer.Trailer)
	for _, name := range guarded {
		assert.NotContains(t, answer.Header[name], "canary", name)
	}
	assert.Zero(t, informational.Load())
}

// TestUncheckedPartsReachNoHandler sends trailers, and bodies with methods that have none.
func TestUncheckedPartsReachNoHandler(t *testing.T) {
	t.Parallel()
	for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete} {
		r := request(method, ping)
		r.Trailer = http.Header{"Authorization": {"canary"}, "Mcp-Entra-Caller": {"canary"}}
		w, next := serve(t, baseConfig(), r)
		require.Equal(t, http.StatusOK, w.Code)
		assert.Empty(t, next.requests[0].Trailer)
		if method != http.MethodPost {
			assert.Empty(t, next.bodies[0], method)
			assert.Zero(t, next.requests[0].ContentLength)
			assert.Empty(t, next.requests[0].Header["Content-Length"])
		}
	}
	config := baseConfig()
	config.MaxBody = 10
	w, next := serve(t, config, request(http.MethodDelete, strings.Repeat("x", 11)))
	assert.Equal(t, http.StatusRequestEntityTooLarge, w.Code)
	assert.Empty(t, next.requests)
}

// TestAmbiguousHeaderNamesReachNoHandler: CGI-like interfaces turn all characters but letters and
// digits into "_".
func TestAmbiguousHeaderNamesReachNoHandler(t *testing.T) {
	t.Parallel()
	r := request(http.MethodPost, ping)
	dropped := []string{
		"Mcp_Session_Id", "Mcp-Session_Id", "Mcp.session.id", "Mcp!session!id", "Mcp_protocol_version",
		"X_forwarded_for",
		"Remote_User", "_", "Mcp-Param-A_b",
		"Remote-User", "Remote-Groups", "Tailscale-User-Login", "X-Goog-Iap-Jwt-Assertion",
		"Cf-Access-Jwt-Assertion", "X-Authentik-Username",
		"X-Original-Url", "X-Rewrite-Url", "X-Ms-Client-Principal-Name", "Mcp-Entra-Caller",
	}
	kept := []string{"Mcp-Param-Region", "Mcp-Param-A.b", "X-Request-Id", "X2", "Traceparent"}
	for _, name := range append(dropped, kept...) {
		r.Header[name] = []string{"v"}
	}
	w, next := serve(t, baseConfig(), r)
	require.Equal(t, http.StatusOK, w.Code)
	for _, name := range dropped {
		assert.NotContains(t, next.requests[0].Header, name)
	}
	for _, name := range kept {
		assert.Contains(t, next.requests[0].Header, name)
	}
}
