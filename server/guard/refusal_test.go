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
	"mcpentra/server/identity"
	"mcpentra/server/token"
)

// TestRefusalLogsOneLine refuses requests at every gate, and reads the log.
func TestRefusalLogsOneLine(t *testing.T) {
	t.Parallel()
	const secret = "tok3n-that-no-log-may-have"
	returning := func(err error) guard.Verify {
		return func(context.Context, string) (*identity.Caller, error) { return nil, err }
	}
	accepting := func(kind identity.Kind, scopes, roles []string) guard.Verify {
		return func(context.Context, string) (*identity.Caller, error) {
			return &identity.Caller{
				Principal:  identity.Principal{Issuer: "i", TenantID: "t", ObjectID: "o"},
				Attributes: identity.Attributes{Kind: kind, Roles: roles},
				Scopes:     scopes,
			}, nil
		}
	}
	good := accepting(identity.User, []string{"tool.read"}, nil)
	wrongAudience := &token.InvalidError{Reason: token.WrongAudience, Seen: "api://x\n", Setting: "AUTH_AUDIENCE"}
	notListed := &guard.ForbiddenError{Reason: "not listed", Seen: "app-1", Setting: "AUTH_ALLOWED_CLIENTS"}
	proxies, err := clientip.ParseProxies([]string{"10.0.0.1"})
	require.NoError(t, err)
	for _, test := range []struct {
		name, method, body string
		verify             guard.Verify // nil means good
		header, value      string
		status             int
		want               []string
	}{
		{
			name:   "host",
			method: "POST",
			header: "Host",
			value:  "evil.example",
			status: 421,
			want:   []string{"seen=evil.", "MCP_PUBLIC_URL"},
		},
		{
			name:   "host of two lines",
			method: "POST",
			header: "Host",
			value:  "a\nb=c",
			status: 421,
			want:   []string{`seen="a\nb=c"`},
		},
		{
			name:   "origin",
			method: "POST",
			header: "Origin",
			value:  "https://evil.example",
			status: 403,
			want:   []string{"seen=https://evil.example", "setting=MCP_ALLOWED_ORIGINS"},
		},
		{
			name:   "long origin",
			method: "POST",
			header: "Origin",
			value:  "https://" + strings.Repeat("o", 5000),
			status: 403,
			want:   []string{"seen=https://ooo", "o… ", "setting=MCP_ALLOWED_ORIGINS"},
		},
		{name: "method", method: "PUT", status: 405, want: []string{"method=PUT", "reason=method"}},
		{name: "no preflight", method: "OPTIONS", status: 405, want: []string{"method=OPTIONS"}},
		{
			name:   "no token",
			method: "POST",
			header: "Authorization",
			status: 401,
			want:   []string{`reason="no token"`},
		},
		{
			name:   "malformed credentials",
			method: "POST",
			header: "Authorization",
			value:  "Bearer " + secret + " x",
			status: 400,
			want:   []string{`reason="malformed credentials"`},
		},
		{
			name:   "invalid token",
			method: "POST",
			verify: returning(wrongAudience),
			status: 401,
			want:   []string{`reason="for another audience"`, `seen="api://x\n"`, "setting=AUTH_AUDIENCE"},
		},
		{
			name:   "forbidden client",
			method: "POST",
			verify: returning(notListed),
			status: 403,
			want:   []string{`reason="not listed"`, "seen=app-1", "setting=AUTH_ALLOWED_CLIENTS"},
		},
		{
			name:   "missing scope",
			method: "POST",
			verify: accepting(identity.User, []string{"other"}, nil),
			status: 403,
			want:   []string{`reason="the scope tool.read is missing"`, "seen=other"},
		},
		{
			name:   "missing app role",
			method: "POST",
			verify: accepting(identity.App, nil, []string{"some.role"}),
			status: 403,
			want:   []string{"seen=some.role", "setting=AUTH_APP_ROLES"},
		},
		{
			name:   "missing scope of an application",
			method: "POST",
			verify: accepting(identity.App, []string{"other"}, []string{"tool.role"}),
			status: 403,
			want:   []string{`reason="the scope tool.read is missing"`, "seen=other"},
		},
		{
			name:   "content type",
			method: "POST",
			body:   "x",
			header: "Content-Type",
			value:  "text/plain",
			status: 415,
			want:   []string{"seen=text/plain"},
		},
		{
			name:   "content encoding",
			method: "POST",
			body:   "x",
			header: "Content-Encoding",
			value:  "gzip",
			status: 415,
			want:   []string{"seen=gzip"},
		},
		{
			name:   "body size",
			method: "POST",
			body:   strings.Repeat("x", 200),
			status: 413,
			want:   []string{"more than 100 bytes"},
		},
		{name: "no JSON", method: "POST", body: "{", status: 400, want: []string{"reason="}},
		{
			name:   "unknown revision",
			method: "POST",
			body:   ping,
			header: "Mcp-Protocol-Version",
			value:  "2031-01-01",
			status: 400,
			want:   []string{`reason="protocol version"`, "seen=2031-01-01"},
		},
		{
			name:   "call without a session",
			method: "POST",
			body:   ping,
			status: 400,
			want:   []string{"setting=MCP_STATEFUL"},
		},
		{
			name:   "unknown session",
			method: "GET",
			header: "Mcp-Session-Id",
			value:  "x",
			status: 404,
			want:   []string{`reason="session not found"`},
		},
		{
			name:   "stream without a session",
			method: "GET",
			status: 400,
			want:   []string{"setting=MCP_STATEFUL"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			verify := test.verify
			if verify == nil {
				verify = good
			}
			g, err := guard.New(guard.Config{
				Resource:             "https://mcp.example.com/mcp",
				AuthorizationServers: []string{"https://as.example"},
				Scopes:               []string{"tool.read"},
				Verify:               verify,
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
			switch {
			case test.header == "Host":
				r.Host = test.value
			case test.value == "":
				r.Header.Del(test.header)
			default:
				r.Header.Set(test.header, test.value)
			}
			assert.Equal(t, test.status, answerTo(g, r).Code)
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
