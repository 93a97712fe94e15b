package server_test

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client"
	"mcpentra/fakeentra"
	"mcpentra/server"
)

// TestNewChecksPath checks in both modes that the endpoint cannot have a path that the server
// itself uses.
func TestNewChecksPath(t *testing.T) {
	t.Parallel()
	fake := fakeentra.NewServer(fakeentra.Config{})
	t.Cleanup(fake.Close)
	for path, want := range map[string]string{
		"/mcp":         "/mcp",
		"/mcp/":        "/mcp",
		"/":            "",
		"":             "/mcp",
		"/a/b-c_d.e~f": "/a/b-c_d.e~f",
		"/sse":         "/sse",
		"/auth":        "/auth",
		"/authorized":  "/authorized",
	} {
		s, err := server.New(t.Context(), server.Config{
			PublicURL: "http://localhost:8000",
			Path:      path,
			Entra:     registration(fake),
		})
		require.NoError(t, err, path)
		assert.Equal(t, "http://localhost:8000"+want, s.Resource())
	}
	for _, path := range []string{
		"/authorize", "/authorize/", "/Authorize", "/authorize/consent", "/token", "/register", "/revoke",
		"/device", "/device_authorization",
		"/jwks", "/auth/callback", "/caller/jwks",
		"/healthz", "/readyz", "/.well-known", "/.well-known/mcp", "/.WELL-KNOWN/oauth-protected-resource",
		"/%61uthorize", "/a/../authorize", "/./token",
		"/..", "/mcp/..", "//", "//mcp", "/mcp//", "mcp", "/{x}", "/{x...}", "/mcp{$}", "/mcp?x", "/mcp#x",
		"/m cp", "/m\tcp", "/mcp\n", `/m\cp`, "/mcp;a=b",
		"/mçp", "GET /mcp", "http://localhost:8000/mcp", "/m\x00", "/*",
	} {
		for _, direct := range []*server.Direct{nil, {}} {
			_, err := server.New(t.Context(), server.Config{
				PublicURL: "http://localhost:8000",
				Path:      path,
				Entra:     registration(fake),
				Direct:    direct,
			})
			var wrong *server.ConfigError
			require.ErrorAs(t, err, &wrong, "%q", path)
			assert.Equal(t, "Path", wrong.Field)
		}
	}
	for _, path := range []string{"/sse", "/sse/", "/sse/message", "/SSE"} {
		_, err := server.New(t.Context(), server.Config{
			PublicURL: "http://localhost:8000",
			Path:      path,
			Entra:     registration(fake),
			LegacySSE: true,
		})
		var wrong *server.ConfigError
		require.ErrorAs(t, err, &wrong, "%q", path)
	}
}

// TestEndpointAtOrigin puts the endpoint at the origin. Browsers still get the front page, and
// other paths stay.
func TestEndpointAtOrigin(t *testing.T) {
	t.Parallel()
	atOrigin := func(config *server.Config) { config.Path = "/" }
	for mode, others := range map[string]map[string]int{
		"broker": {
			"/.well-known/oauth-authorization-server": 200,
			"/.well-known/openid-configuration":       200,
			"/jwks":                                   200,
			"/token":                                  405,
			"/register":                               405,
			"/revoke":                                 405,
			"/authorize":                              400,
			"/auth/callback":                          400,
		},
		"direct": {"/.well-known/oauth-authorization-server": 404, "/token": 404, "/authorize": 404},
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			var s *env
			var token string
			if mode == "broker" {
				s = newEnv(t, atOrigin)
				_, tokens := s.signIn()
				token = tokens["access_token"].(string)
			} else {
				s = newDirectEnv(t, atOrigin)
				token = s.mint(fakeentra.Token{})
			}
			require.Equal(t, s.origin, s.server.Resource(), "an origin has no trailing slash")
			status, _, body := s.call(token, callWhoami)
			assert.Equal(t, http.StatusOK, status)
			assert.Contains(t, body, s.fake.Tenant().Users[0].ID)

			const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
			for _, request := range []struct {
				method, accept, token string
				status                int
			}{
				{http.MethodGet, browser, "", 200},
				{http.MethodHead, browser, "", 200},
				{http.MethodGet, browser, "Bearer none", 401},
				{http.MethodGet, "*/*", "", 401},
				{http.MethodGet, "text/event-stream", "", 401},
				{http.MethodGet, "text/html;q=0, text/event-stream", "", 401},
				{http.MethodPost, browser, "", 401},
				{http.MethodDelete, browser, "", 401},
				{http.MethodHead, "*/*", "", 405},
				{http.MethodPut, browser, "", 405},
			} {
				headers := []string{"Accept", request.accept, "MCP-Protocol-Version", "2025-11-25"}
				if request.token != "" {
					headers = append(headers, "Authorization", request.token)
				}
				status, header, body := s.send(request.method, s.origin, "", headers...)
				require.Equal(t, request.status, status, request)
				switch status {
				case http.StatusOK:
					assert.Contains(t, header.Get("Vary"), "Accept")
					assert.Contains(t, header.Get("Content-Type"), "text/html")
				case http.StatusUnauthorized:
					assert.NotContains(t, body, "<html")
					assert.Contains(t, header.Get("WWW-Authenticate"),
						`resource_metadata="`+s.origin+`/.well-known/oauth-protected-resource"`)
				}
			}
			assert.Equal(t, s.origin, s.document(s.origin + "/.well-known/oauth-protected-resource")["resource"])
			assert.Equal(t, s.origin+"/", s.document(s.origin + "/.well-known/oauth-protected-resource/")["resource"])
			for path, want := range map[string]int{
				"/healthz": 200,
				"/readyz":  503,
				"/mcp":     404,
				"/nothing": 404,
				"/.well-known/oauth-protected-resource/mcp": 404,
			} {
				others[path] = want
			}
			for path, want := range others {
				status, _, _ := s.send(http.MethodGet, s.origin+path, "")
				assert.Equal(t, want, status, path)
			}
		})
	}
}

// TestEndpointIgnoresTrailingSlash gives a strict client the URL with a slash. It gets metadata and
// a token for exactly that URL.
func TestEndpointIgnoresTrailingSlash(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ path, written string }{
		"a path":     {"", "/mcp/"},
		"the origin": {"/", "/"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newEnv(t, func(config *server.Config) { config.Path = test.path })
			endpoint := s.origin + test.written
			transport, err := client.New(client.Config{Server: endpoint, Browser: visit})
			require.NoError(t, err)
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, endpoint,
				strings.NewReader(callUserName))
			require.NoError(t, err)
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Accept", "application/json, text/event-stream")
			r.Header.Set("MCP-Protocol-Version", "2025-11-25")
			response, err := transport.RoundTrip(r)
			require.NoError(t, err)
			defer response.Body.Close()
			assert.Equal(t, http.StatusOK, response.StatusCode)
		})
	}
	s := newEnv(t, nil)
	status, header, _ := s.send(http.MethodPost, s.origin+"/mcp/", callUserName)
	assert.Equal(t, http.StatusUnauthorized, status)
	assert.Contains(t, header.Get("WWW-Authenticate"),
		`resource_metadata="`+s.origin+`/.well-known/oauth-protected-resource/mcp/"`)
	assert.Equal(t, s.origin+"/mcp/", s.document(s.origin + "/.well-known/oauth-protected-resource/mcp/")["resource"])
	assert.Equal(t, s.origin+"/mcp", s.document(s.origin + "/.well-known/oauth-protected-resource/mcp")["resource"])
	for _, path := range []string{"/mcp/x", "/mcp//"} {
		status, _, _ = s.send(http.MethodGet, s.origin+path, "")
		assert.NotEqual(t, http.StatusOK, status)
	}
}

// TestHandlerSeesPathWithoutSlash sends requests with a trailing slash and without.
func TestHandlerSeesPathWithoutSlash(t *testing.T) {
	t.Parallel()
	s := newDirectEnv(t, func(config *server.Config) {
		config.MCP = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(r.URL.Path))
		})
	})
	for _, path := range []string{"/mcp", "/mcp/"} {
		status, _, body := s.send(http.MethodGet, s.origin+path, "", "Authorization",
			"Bearer "+s.mint(fakeentra.Token{}), "Accept", "text/event-stream")
		assert.Equal(t, http.StatusOK, status)
		assert.Equal(t, "/mcp", body)
	}
}

// TestOriginNamesEndpoint sends MCP requests to the origin. The answer names the endpoint, and the
// log does so once.
func TestOriginNamesEndpoint(t *testing.T) {
	t.Parallel()
	log := &safeBuffer{}
	s := newEnv(t, func(config *server.Config) { config.Logger = slog.New(slog.NewTextHandler(log, nil)) })
	for _, request := range []struct{ method, accept string }{
		{http.MethodPost, "application/json, text/event-stream"},
		{http.MethodPost, "text/html"},
		{http.MethodGet, "text/event-stream"},
		{http.MethodDelete, "*/*"},
	} {
		status, header, body := s.send(request.method, s.origin, callUserName, "Accept", request.accept)
		assert.Equal(t, http.StatusMethodNotAllowed, status)
		assert.Equal(t, "application/json", header.Get("Content-Type"))
		assert.JSONEq(t,
			`{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":`+
				`"this is not the MCP endpoint: use `+
				s.origin+`/mcp"}}`, body)
	}
	assert.Equal(t, 1, strings.Count(log.String(), "uses the origin as the MCP endpoint"))
	assert.Contains(t, log.String(), "address=127.0.0.1 endpoint="+s.origin+"/mcp setting=MCP_PATH")
	for _, accept := range []string{"*/*", "text/html", "text/html, text/event-stream"} {
		status, header, _ := s.send(http.MethodGet, s.origin, "", "Accept", accept)
		assert.Equal(t, http.StatusOK, status)
		assert.Contains(t, header.Get("Content-Type"), "text/html")
	}
}
