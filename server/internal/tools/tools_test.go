package tools_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/entra"
	"mcpentra/server/guard"
	"mcpentra/server/identity"
	"mcpentra/server/internal/tools"
	"mcpentra/server/token"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

var adele = identity.Caller{
	Principal:  identity.Principal{Issuer: "https://login.microsoftonline.com/t/v2.0", TenantID: "t", ObjectID: "o"},
	Name:       "Adele Vance",
	Username:   "adele@example.com",
	ClientID:   "client-1",
	ClientName: "Console",
	GrantID:    "grant-canary",
	TokenID:    "jti-canary",
	Scopes:     []string{"user.read"},
	Issued:     noon,
	Expiry:     noon.Add(time.Hour),
}

func config() tools.Config {
	return tools.Config{
		Name:    "test",
		Version: "1.2.3",
		GraphToken: func(_ context.Context, id *identity.Caller) (string, error) {
			return "graph-token-canary of " + id.ObjectID, nil
		},
		Me: func(_ context.Context, graphToken string) (*entra.Profile, error) {
			if graphToken != "graph-token-canary of o" {
				return nil, errors.New("another token")
			}
			return &entra.Profile{ID: "o", DisplayName: "Adele Vance", UserPrincipalName: "adele@example.com"}, nil
		},
	}
}

// endpoint is the tools behind a guard that knows one token, over a socket.
func endpoint(t *testing.T, cfg tools.Config) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	g, err := guard.New(guard.Config{
		Resource:             "http://" + server.Listener.Addr().String() + "/mcp",
		AuthorizationServers: []string{"https://as.example"},
		Scopes:               []string{"user.read"},
		Verify: func(_ context.Context, raw string) (*identity.Caller, error) {
			if raw != "good" {
				return nil, &token.InvalidError{Reason: token.BadSignature}
			}
			id := adele
			return &id, nil
		},
		Now: func() time.Time { return noon },
	}, tools.Handler(cfg))
	require.NoError(t, err)
	server.Config.Handler = g
	server.Start()
	t.Cleanup(server.Close)
	return server
}

// wire is how one revision writes its requests.
type wire struct{ revision string }

var revisions = []wire{{"2025-03-26"}, {"2025-06-18"}, {"2025-11-25"}, {"2026-07-28"}}

func (v wire) modern() bool { return v.revision == "2026-07-28" }

func (v wire) request(t *testing.T, address, method string, params map[string]any) *http.Request {
	t.Helper()
	if params == nil {
		params = map[string]any{}
	}
	if v.modern() {
		params["_meta"] = map[string]any{
			"io.modelcontextprotocol/protocolVersion":    v.revision,
			"io.modelcontextprotocol/clientInfo":         map[string]any{"name": "test", "version": "1"},
			"io.modelcontextprotocol/clientCapabilities": map[string]any{},
		}
	}
	message := map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
	if method == "notifications/initialized" {
		delete(message, "id")
	}
	body, err := json.Marshal(message)
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address+"/mcp", bytes.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("Authorization", "Bearer good")
	if v.revision != "2025-03-26" && method != "initialize" {
		r.Header.Set("MCP-Protocol-Version", v.revision)
	}
	if v.modern() {
		r.Header.Set("Mcp-Method", method)
		if name, named := params["name"].(string); named {
			r.Header.Set("Mcp-Name", name)
		}
	}
	return r
}

func (v wire) send(
	t *testing.T,
	server *httptest.Server,
	method string,
	params map[string]any,
) (int, map[string]any, http.Header) {
	t.Helper()
	return do(t, server, v.request(t, server.URL, method, params))
}

func do(t *testing.T, server *httptest.Server, r *http.Request) (int, map[string]any, http.Header) {
	t.Helper()
	resp, err := server.Client().Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	var message map[string]any
	if len(body) > 0 {
		require.NoError(t, json.Unmarshal(body, &message), string(body))
	}
	return resp.StatusCode, message, resp.Header
}

// call calls a tool, and returns its text, its structured answer, and whether it is an error.
func (v wire) call(
	t *testing.T,
	server *httptest.Server,
	tool string,
	arguments map[string]any,
) (string, map[string]any, bool) {
	t.Helper()
	status, message, _ := v.send(t, server, "tools/call", map[string]any{"name": tool, "arguments": arguments})
	require.Equal(t, http.StatusOK, status, message)
	result, ok := message["result"].(map[string]any)
	require.True(t, ok, message)
	content, ok := result["content"].([]any)
	require.True(t, ok, message)
	text, _ := content[0].(map[string]any)["text"].(string)
	structured, _ := result["structuredContent"].(map[string]any)
	failed, _ := result["isError"].(bool)
	return text, structured, failed
}

func TestHandlerServesEveryRevision(t *testing.T) {
	t.Parallel()
	server := endpoint(t, config())
	for _, v := range revisions {
		t.Run(v.revision, func(t *testing.T) {
			t.Parallel()
			if v.modern() {
				status, message, header := v.send(t, server, "server/discover", nil)
				require.Equal(t, http.StatusOK, status, message)
				result := message["result"].(map[string]any)
				for _, other := range revisions {
					assert.Contains(t, result["supportedVersions"], other.revision)
				}
				assert.Empty(t, header.Get("Mcp-Session-Id"))
			} else {
				status, message, header := v.send(t, server, "initialize", map[string]any{
					"protocolVersion": v.revision,
					"capabilities":    map[string]any{},
					"clientInfo":      map[string]any{"name": "test", "version": "1"},
				})
				require.Equal(t, http.StatusOK, status, message)
				result := message["result"].(map[string]any)
				assert.Equal(t, v.revision, result["protocolVersion"])
				assert.Equal(t, map[string]any{"name": "test", "version": "1.2.3"}, result["serverInfo"])
				assert.Empty(t, header.Get("Mcp-Session-Id"), "there is no state")
				status, _, _ = v.send(t, server, "notifications/initialized", nil)
				assert.Equal(t, http.StatusAccepted, status)
			}

			status, message, _ := v.send(t, server, "tools/list", nil)
			require.Equal(t, http.StatusOK, status, message)
			listed := message["result"].(map[string]any)["tools"].([]any)
			require.Len(t, listed, 2)
			for _, entry := range listed {
				tool := entry.(map[string]any)
				hints := tool["annotations"].(map[string]any)
				assert.Equal(t, true, hints["readOnlyHint"])
				assert.Equal(t, false, hints["destructiveHint"])
				assert.Equal(t, true, hints["idempotentHint"])
				assert.Equal(t, tool["name"] == "get_user_name", hints["openWorldHint"])
				assert.NotEmpty(t, tool["description"])
				assert.NotEmpty(t, tool["outputSchema"])
				// A list of types, for an array that may be null, is more than some clients take.
				for name, property := range tool["outputSchema"].(map[string]any)["properties"].(map[string]any) {
					assert.IsType(t, "", property.(map[string]any)["type"], name)
				}
			}

			text, structured, failed := v.call(t, server, "get_user_name", nil)
			assert.False(t, failed)
			assert.Equal(t, "User name is Adele Vance", text)
			assert.Equal(
				t,
				map[string]any{"name": "Adele Vance", "user_principal_name": "adele@example.com"},
				structured,
			)

			_, structured, failed = v.call(t, server, "whoami", map[string]any{"object_id": "forged", "user": "forged"})
			assert.False(t, failed)
			assert.Equal(t, map[string]any{
				"kind":          "user",
				"issuer":        "https://login.microsoftonline.com/t/v2.0",
				"tenant_id":     "t",
				"object_id":     "o",
				"name":          "Adele Vance",
				"username":      "adele@example.com",
				"client_id":     "client-1",
				"client_name":   "Console",
				"scopes":        []any{"user.read"},
				"token_issued":  "2026-11-24T12:00:00Z",
				"token_expires": "2026-11-24T13:00:00Z",
			}, structured, "the token counts, not the arguments")
		})
	}
}

func TestEveryMethodNeedsToken(t *testing.T) {
	t.Parallel()
	server := endpoint(t, config())
	for _, v := range revisions {
		for _, method := range []string{
			"initialize", "server/discover", "tools/list", "tools/call", "ping", "notifications/initialized",
		} {
			r := v.request(t, server.URL, method, map[string]any{"name": "whoami"})
			r.Header.Del("Authorization")
			status, _, header := do(t, server, r)
			assert.Equal(t, http.StatusUnauthorized, status, "%s %s", v.revision, method)
			assert.Contains(t, header.Get("WWW-Authenticate"), "/.well-known/oauth-protected-resource/mcp")
		}
	}
}

func TestHandlerServesBatches(t *testing.T) {
	t.Parallel()
	server := endpoint(t, config())
	const batch = `[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","method":"notifications/initialized"},` +
		`{"jsonrpc":"2.0","id":"two","method":"tools/call","params":{"name":"get_user_name"}}]`
	for revision, want := range map[string]int{
		"":           200,
		"2025-03-26": 200,
		"2025-06-18": 400,
		"2025-11-25": 400,
		"2026-07-28": 400,
	} {
		r := wire{"2025-03-26"}.request(t, server.URL, "ping", nil)
		r.Body = io.NopCloser(bytes.NewReader([]byte(batch)))
		r.ContentLength = int64(len(batch))
		if revision != "" {
			r.Header.Set("MCP-Protocol-Version", revision)
		}
		resp, err := server.Client().Do(r)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, resp.Body.Close())
		require.NoError(t, err)
		assert.Equal(t, want, resp.StatusCode, "%q: %s", revision, body)
		if want != http.StatusOK {
			continue
		}
		var answers []map[string]any
		require.NoError(t, json.Unmarshal(body, &answers), string(body))
		require.Len(t, answers, 2)
		assert.EqualValues(t, 1, answers[0]["id"])
		assert.Equal(t, "two", answers[1]["id"])
		assert.Contains(t, fmt.Sprint(answers[1]["result"]), "User name is Adele Vance")
	}
}

func TestHandlerFollowsTransport(t *testing.T) {
	t.Parallel()
	server := endpoint(t, config())
	modern := wire{"2026-07-28"}
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	withoutBody := func(method string) func(*http.Request) {
		return func(r *http.Request) {
			r.Method = method
			r.Body = http.NoBody
		}
	}
	tests := []struct {
		name   string
		change func(*http.Request)
		want   int
	}{
		{"unknown revision", header("MCP-Protocol-Version", "1900-01-01"), 400},
		{"header of another revision", header("MCP-Protocol-Version", "2025-11-25"), 400},
		{"header of another method", header("Mcp-Method", "tools/list"), 400},
		{"header of another tool", header("Mcp-Name", "whoami"), 400},
		{"no header of the method", func(r *http.Request) { r.Header.Del("Mcp-Method") }, 400},
		{"unknown session", header("Mcp-Session-Id", "made-up"), 200},
		{"stream", withoutBody(http.MethodGet), 405},
		{"end of a session", withoutBody(http.MethodDelete), 405},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := modern.request(t, server.URL, "tools/call", map[string]any{"name": "get_user_name"})
			test.change(r)
			resp, err := server.Client().Do(r)
			require.NoError(t, err)
			defer resp.Body.Close()
			assert.Equal(t, test.want, resp.StatusCode)
			assert.Empty(t, resp.Header.Get("Mcp-Session-Id"))
		})
	}
	status, message, _ := modern.send(t, server, "no/known/method", nil)
	assert.Equal(t, http.StatusNotFound, status, message)

	r := wire{"2025-11-25"}.request(t, server.URL, "ping", nil)
	r.Method = http.MethodGet
	r.Body = http.NoBody
	resp, err := server.Client().Do(r)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(
		t,
		http.StatusMethodNotAllowed,
		resp.StatusCode,
		"a stateless server has no listening streams",
	)
}

func TestUserNameExplainsFailure(t *testing.T) {
	t.Parallel()
	graph := func(err error) func(*tools.Config) {
		return func(c *tools.Config) {
			c.Me = func(context.Context, string) (*entra.Profile, error) { return nil, err }
		}
	}
	grant := func(err error) func(*tools.Config) {
		return func(c *tools.Config) {
			c.GraphToken = func(context.Context, *identity.Caller) (string, error) {
				return "", fmt.Errorf("upstream: %w", err)
			}
		}
	}
	tests := map[string]struct {
		change func(*tools.Config)
		want   string
	}{
		"graph refuses the token": {
			graph(&entra.GraphError{Status: 401, Code: "InvalidAuthenticationToken", Message: "canary"}),
			"sign in again",
		},
		"graph misses consent": {
			graph(&entra.GraphError{Status: 403, Code: "Authorization_RequestDenied"}),
			"User.Read",
		},
		"graph throttles": {
			graph(&entra.GraphError{Status: 429, RetryAfter: 1500 * time.Millisecond}),
			"try again in 2 seconds",
		},
		"graph is in trouble":       {graph(&entra.GraphError{Status: 503}), "try again in a moment"},
		"graph refuses the request": {graph(&entra.GraphError{Status: 400}), "status 400"},
		"graph is out of reach": {
			graph(&entra.UnavailableError{Op: "graph", Err: errors.New("canary")}),
			"cannot be reached",
		},
		"the grant is over": {
			grant(&entra.Error{Code: "invalid_grant", AADSTS: 50173, Description: "canary"}),
			"sign in again",
		},
		"a second factor is missing": {
			grant(&entra.Error{Code: "invalid_grant", AADSTS: 50076}),
			"sign in again, and do what Microsoft asks",
		},
		"the person is not assigned": {
			grant(&entra.Error{Code: "invalid_grant", AADSTS: 50105}),
			"ask an administrator",
		},
		"graph wants more": {
			graph(&entra.GraphError{Status: 401, Claims: `{"access_token":{}}`}),
			"sign in again, and do what Microsoft asks",
		},
		"consent is missing": {grant(&entra.Error{Code: "invalid_grant", AADSTS: 65001}), "Consent is missing"},
		"the server is set up wrong": {
			grant(&entra.Error{Code: "invalid_client", AADSTS: 7000222, Advice: "canary"}),
			"AADSTS7000222",
		},
		"a refusal without a number": {grant(&entra.Error{Code: "invalid_client"}), "invalid_client"},
		"entra is out of reach": {
			grant(&entra.UnavailableError{RetryAfter: time.Minute, Err: errors.New("canary")}),
			"try again in 60 seconds",
		},
		"cancelled":     {grant(context.Canceled), "try again"},
		"anything else": {grant(errors.New("canary")), "sign in again"},
		"a panic": {func(c *tools.Config) {
			c.Me = func(context.Context, string) (*entra.Profile, error) { panic("boom") }
		}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config()
			test.change(&cfg)
			server := endpoint(t, cfg)
			if test.want == "" {
				_, message, _ := revisions[2].send(t, server, "tools/call", map[string]any{"name": "get_user_name"})
				assert.Contains(t, message, "error", "the server goes on")
				return
			}
			for _, v := range revisions {
				text, _, failed := v.call(t, server, "get_user_name", nil)
				assert.True(t, failed)
				assert.Contains(t, text, test.want)
				assert.NotContains(t, text, "canary", "causes are for the operator's log")
			}
		})
	}
}

func TestToolsHideTokens(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	cfg := config()
	cfg.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	me := cfg.Me
	cfg.Me = func(ctx context.Context, graphToken string) (*entra.Profile, error) {
		if _, err := me(ctx, graphToken); err != nil {
			return nil, err
		}
		return nil, &entra.GraphError{Status: 401}
	}
	server := endpoint(t, cfg)
	text, _, _ := revisions[3].call(t, server, "get_user_name", nil)
	whoami, structured, _ := revisions[3].call(t, server, "whoami", nil)
	assert.NotContains(t, text+whoami+fmt.Sprint(structured)+log.String(), "canary")
	assert.NotEmpty(t, log.String())
}

func TestToolsNeedGuard(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(tools.Handler(config()))
	t.Cleanup(server.Close)
	for _, tool := range []string{"get_user_name", "whoami"} {
		text, structured, failed := revisions[1].call(t, server, tool, nil)
		assert.True(t, failed)
		assert.Contains(t, text, "sign in")
		assert.Nil(t, structured)
	}
}

func TestUserNameFallsBackToSignInName(t *testing.T) {
	t.Parallel()
	cfg := config()
	cfg.Me = func(context.Context, string) (*entra.Profile, error) {
		return &entra.Profile{ID: "o", UserPrincipalName: "adele@example.com"}, nil
	}
	text, _, _ := revisions[0].call(t, endpoint(t, cfg), "get_user_name", nil)
	assert.Equal(t, "User name is adele@example.com", text)
}
