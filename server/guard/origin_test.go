package guard_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHostHasToNameResource(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, resource string
		fine, wrong    []string
	}{
		{
			"public name",
			resource,
			[]string{"mcp.example", "MCP.EXAMPLE", "mcp.example:443"},
			[]string{"evil.example", "mcp.example.evil.example", "mcp.example:80", "mcp.example:8443", "localhost", ""},
		},
		{
			"loopback",
			"http://localhost:8000/mcp",
			[]string{"localhost:8000", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST:8000"},
			[]string{
				"localhost",
				"localhost:8001",
				"evil.example:8000",
				"localhost.evil.example:8000",
				"127.0.0.1.evil.example:8000",
				"2130706433:8000",
				"[::1]:x",
				"0.0.0.0:8000",
				"127.0.0.2:8000",
			},
		},
		{
			"loopback on the default port",
			"http://127.0.0.1/mcp",
			[]string{"127.0.0.1", "localhost:80", "[::1]"},
			[]string{"[::1]:8000"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			config := baseConfig()
			config.Resource = test.resource
			for _, host := range slices.Concat(test.fine, test.wrong) {
				r := request(http.MethodPost, ping)
				r.Host = host
				r.Header.Set("X-Forwarded-Host", "mcp.example")
				w, _ := serve(t, config, r)
				want := http.StatusOK
				if slices.Contains(test.wrong, host) {
					want = http.StatusMisdirectedRequest
				}
				assert.Equal(t, want, w.Code, "Host: %s", host)
			}
		})
	}
}

func TestOriginHasToBeAllowed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		lines []string
		fine  bool
	}{
		{"resource's own", []string{"https://mcp.example"}, true},
		{"listed one", []string{"https://inspector.example"}, true},
		{"stranger", []string{"https://evil.example"}, false},
		{"null", []string{"null"}, false},
		{"empty one", []string{""}, false},
		{"another port", []string{"https://mcp.example:8443"}, false},
		{"another scheme", []string{"http://mcp.example"}, false},
		{"longer name", []string{"https://inspector.example.evil.example"}, false},
		{"file", []string{"file://"}, false},
		{"two, good and bad", []string{"https://mcp.example", "https://evil.example"}, false},
		{"two good ones", []string{"https://mcp.example", "https://mcp.example"}, false},
	} {
		for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete, http.MethodOptions} {
			t.Run(test.name+" "+method, func(t *testing.T) {
				t.Parallel()
				r := request(method, ping)
				r.Header["Origin"] = test.lines
				r.Header.Set("Access-Control-Request-Method", "POST")
				w, next := serve(t, baseConfig(), r)
				if !test.fine {
					assert.Equal(t, http.StatusForbidden, w.Code)
					assert.Empty(t, w.Header().Get("Access-Control-Allow-Origin"))
					assert.Empty(t, next.requests)
					return
				}
				assert.Less(t, w.Code, 300)
				assert.Equal(t, test.lines[0], w.Header().Get("Access-Control-Allow-Origin"))
				assert.Empty(t, w.Header().Get("Access-Control-Allow-Credentials"))
				assert.Contains(t, w.Header().Values("Vary"), "Origin")
			})
		}
	}
}

func TestPreflightAllowsHeadersOfClients(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodOptions, resource, nil)
	r.Header.Set("Origin", "https://inspector.example")
	r.Header.Set("Access-Control-Request-Method", "POST")
	r.Header.Set("Access-Control-Request-Headers", "authorization, mcp-param-city, x-evil")
	w, next := serve(t, baseConfig(), r)
	require.Equal(t, http.StatusNoContent, w.Code)
	allowed := strings.Split(w.Header().Get("Access-Control-Allow-Headers"), ", ")
	assert.Subset(t, allowed, []string{
		"Authorization",
		"Content-Type",
		"MCP-Protocol-Version",
		"Mcp-Method",
		"Mcp-Name",
		"Mcp-Session-Id",
		"mcp-param-city",
	})
	assert.NotContains(t, allowed, "x-evil")
	assert.Empty(t, next.requests)
}

func TestOtherMethodIsRefused(t *testing.T) {
	t.Parallel()
	for _, method := range []string{
		http.MethodHead,
		http.MethodPut,
		http.MethodPatch,
		http.MethodTrace,
		http.MethodOptions,
		"BREW",
	} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			w, next := serve(t, baseConfig(), request(method, ""))
			assert.Equal(t, http.StatusMethodNotAllowed, w.Code)
			assert.NotEmpty(t, w.Header().Get("Allow"))
			assert.Empty(t, next.requests)
		})
	}
}
