package guard_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/clientip"
	"mcpentra/server/guard"
	"mcpentra/server/token"
)

// TestEveryRefusalLeavesOneLine refuses requests in every way there is, and reads the log.
func TestEveryRefusalLeavesOneLine(t *testing.T) {
	t.Parallel()
	const secret = "tok3n-that-no-log-may-have"
	people := &guard.Identity{Kind: guard.User, Principal: guard.Principal{Issuer: "i", TenantID: "t", ObjectID: "o"}}
	failing := func(err error) guard.Verify {
		return func(context.Context, string) (*guard.Identity, error) { return nil, err }
	}
	knows := func(change func(*guard.Identity)) guard.Verify {
		return func(context.Context, string) (*guard.Identity, error) {
			id := *people
			id.Scopes = []string{"tool.read"}
			change(&id)
			return &id, nil
		}
	}
	all := knows(func(*guard.Identity) {})
	wrongAudience := &token.InvalidError{Reason: token.WrongAudience, Seen: "api://x\n", Setting: "AUTH_AUDIENCE"}
	notListed := &guard.ForbiddenError{Reason: "not listed", Seen: "app-1", Setting: "AUTH_ALLOWED_CLIENTS"}
	application := knows(func(id *guard.Identity) {
		id.Kind = guard.App
		id.Roles = []string{"some.role"}
	})
	twoBlanks := []string{"Authorization", "Bearer " + secret + " x"}
	const ping = `{"jsonrpc":"2.0","id":1,"method":"ping"}`
	tests := map[string]struct {
		method, body string
		verify       guard.Verify
		headers      []string
		status       int
		want         []string
	}{
		"host":      {"POST", "", all, []string{"Host", "evil.example"}, 421, []string{"seen=evil.", "MCP_PUBLIC_URL"}},
		"line host": {"POST", "", all, []string{"Host", "a\nb=c"}, 421, []string{`seen="a\nb=c"`}},
		"origin": {
			"POST", "", all, []string{"Origin", "https://evil.example"}, 403,
			[]string{"seen=https://evil.example", "setting=MCP_ALLOWED_ORIGINS"},
		},
		"long origin": {
			"POST", "", all, []string{"Origin", "https://" + strings.Repeat("o", 5000)}, 403,
			[]string{"seen=https://ooo", "o… ", "setting=MCP_ALLOWED_ORIGINS"},
		},
		"method":    {"PUT", "", all, nil, 405, []string{"method=PUT", "reason=method"}},
		"preflight": {"OPTIONS", "", all, nil, 405, []string{"method=OPTIONS"}},
		"no token":  {"POST", "", all, []string{"Authorization", ""}, 401, []string{`reason="no token"`}},
		"malformed": {"POST", "", all, twoBlanks, 400, []string{`reason="malformed credentials"`}},
		"invalid": {
			"POST", "", failing(wrongAudience),
			nil, 401, []string{`reason="for another audience"`, `seen="api://x\n"`, "setting=AUTH_AUDIENCE"},
		},
		"forbidden": {
			"POST", "", failing(notListed),
			nil, 403, []string{`reason="not listed"`, "seen=app-1", "setting=AUTH_ALLOWED_CLIENTS"},
		},
		"scope": {
			"POST", "", knows(func(id *guard.Identity) { id.Scopes = []string{"other"} }), nil, 403,
			[]string{`reason="the scope tool.read is missing"`, "seen=other"},
		},
		"app role": {
			"POST", "", application, nil, 403,
			[]string{"seen=some.role", "setting=AUTH_APP_ROLES"},
		},
		"content type": {"POST", "x", all, []string{"Content-Type", "text/plain"}, 415, []string{"seen=text/plain"}},
		"encoding":     {"POST", "x", all, []string{"Content-Encoding", "gzip"}, 415, []string{"seen=gzip"}},
		"body size":    {"POST", strings.Repeat("x", 200), all, nil, 413, []string{"more than 100 bytes"}},
		"no JSON":      {"POST", "{", all, nil, 400, []string{"reason="}},
		"session":      {"POST", ping, all, nil, 400, []string{"setting=MCP_STATEFUL"}},
		"old session":  {"GET", "", all, []string{"Mcp-Session-Id", "x"}, 404, []string{"reason="}},
		"no session":   {"GET", "", all, nil, 400, []string{"setting=MCP_STATEFUL"}},
	}
	proxies, err := clientip.ParseProxies([]string{"10.0.0.1"})
	require.NoError(t, err)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			g, err := guard.New(guard.Config{
				Resource:             "https://mcp.example.com/mcp",
				AuthorizationServers: []string{"https://as.example"},
				Scopes:               []string{"tool.read"},
				Verify:               test.verify,
				AppRoles:             []string{"Task.Run"},
				MaxBody:              100,
				Stateful:             true,
				TrustedProxies:       proxies,
				Logger:               slog.New(slog.NewTextHandler(&log, nil)),
			}, http.NotFoundHandler())
			require.NoError(t, err)
			address := "https://mcp.example.com/mcp?access_token=" + secret
			r := httptest.NewRequest(test.method, address, strings.NewReader(test.body))
			r.RemoteAddr = "10.0.0.1:1"
			r.Header.Set("X-Forwarded-For", "198.51.100.1")
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Authorization", "Bearer "+secret)
			for i := 0; i < len(test.headers); i += 2 {
				if r.Header.Set(test.headers[i], test.headers[i+1]); test.headers[i] == "Host" {
					r.Host = test.headers[i+1]
				}
				if test.headers[i+1] == "" {
					r.Header.Del(test.headers[i])
				}
			}
			answer := httptest.NewRecorder()
			g.ServeHTTP(answer, r)
			assert.Equal(t, test.status, answer.Code)
			line := log.String()
			assert.Equal(t, 1, strings.Count(line, "\n"), line)
			assert.Less(t, len(line), 600)
			assert.NotContains(t, line, secret)
			for _, want := range append(test.want, "msg=refused", "address=198.51.100.1", "path=/mcp", "status=") {
				assert.Contains(t, line, want)
			}
		})
	}
}
