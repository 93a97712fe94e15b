package server_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/servers"
	"mcpentra/fakeentra"
	"mcpentra/server"
	"mcpentra/server/guard"
	"mcpentra/server/upstream"
)

// TestStateBelongsToCaller runs the checks of state against tools that keep state for their
// callers. The tools know their callers from the guard alone, so the guard has to name them in
// every revision, in sessions and without.
func TestStateBelongsToCaller(t *testing.T) {
	t.Parallel()
	for name, place := range map[string]func(*testing.T, *server.Config) *keeper{
		"handler":  keepInHandler,
		"upstream": keepInUpstream,
	} {
		t.Run("broker/"+name, func(t *testing.T) {
			t.Parallel()
			key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			require.NoError(t, err)
			var k *keeper
			origin := startServer(t, func(config *server.Config) {
				config.SigningKey = key
				k = place(t, config)
			})
			testState(t, brokerTarget(t, origin+"/mcp", key), k)
		})
		t.Run("direct/"+name, func(t *testing.T) {
			t.Parallel()
			fake := fakeentra.NewServer(fakeentra.Config{Directory: apiDirectory()})
			t.Cleanup(fake.Close)
			var k *keeper
			origin := startServer(t, func(config *server.Config) {
				direct(fake)(config)
				k = place(t, config)
			})
			testState(t, directTarget(t, origin+"/mcp", fake), k)
		})
	}
}

// testState runs the checks of state against a server with the tools of a keeper.
func testState(t *testing.T, target servers.Target, k *keeper) {
	t.Helper()
	k.describe(&target)
	servers.Test(t, target, "server/state", "server/request-state", "server/elicitation", "server/task")
}

// keepInHandler puts a keeper behind the guard.
func keepInHandler(_ *testing.T, config *server.Config) *keeper {
	k := newKeeper(fromGuard)
	config.MCP = k.handler()
	config.Stateful = true
	return k
}

// keepInUpstream puts a keeper behind the guard as another server.
func keepInUpstream(t *testing.T, config *server.Config) *keeper {
	k := newKeeper(fromHeader)
	behind := httptest.NewServer(k.handler(mcpserver.WithHTTPContextFunc(named(config.PublicURL))))
	t.Cleanup(behind.Close)
	config.Upstream = behind.URL + "/mcp"
	config.Stateful = true
	return k
}

// A keeper is a server with tools that keep state for their callers.
type keeper struct {
	callerOf func(context.Context) string // returns "" without a caller

	mu      sync.Mutex
	handles map[string]string
	rounds  map[string]*pending
}

// pending is a call that waits for an answer of its client.
type pending struct {
	owner  string
	marker string
	until  time.Time
}

func newKeeper(callerOf func(context.Context) string) *keeper {
	return &keeper{callerOf: callerOf, handles: map[string]string{}, rounds: map[string]*pending{}}
}

// describe adds the tools to a target.
func (k *keeper) describe(target *servers.Target) {
	target.Handles = &servers.Handles{Make: "make", Use: "use"}
	target.Rounds = &servers.Rounds{
		Tool: "ask",
		Answers: map[string]any{
			"name":  map[string]any{"action": "accept", "content": map[string]any{"name": "x"}},
			"terms": map[string]any{"action": "accept"},
		},
		Once: true,
		Expire: func(_ context.Context, state string) error {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.rounds[state].until = time.Now()
			return nil
		},
	}
	target.TaskTool = "work"
}

var errNotYours = errors.New("not found")

// fromGuard returns the caller that the guard names to a handler.
func fromGuard(ctx context.Context) string {
	caller, known := guard.FromContext(ctx)
	if !known {
		return ""
	}
	return caller.TenantID + "." + caller.ObjectID
}

type namedKey struct{}

// named returns a function that verifies the header with which the guard names the caller to an
// upstream. fromHeader returns that caller.
func named(origin string) func(context.Context, *http.Request) context.Context {
	return func(ctx context.Context, r *http.Request) context.Context {
		token, err := jwt.ParseSigned(r.Header.Get(upstream.CallerHeader), []jose.SignatureAlgorithm{jose.ES256})
		if err != nil {
			return ctx
		}
		answer, err := http.Get(origin + server.CallerKeysPath)
		if err != nil {
			return ctx
		}
		defer answer.Body.Close()
		var keys jose.JSONWebKeySet
		var claims jwt.Claims
		if json.NewDecoder(answer.Body).Decode(&keys) != nil || token.Claims(&keys, &claims) != nil {
			return ctx
		}
		if claims.Validate(jwt.Expected{Issuer: origin, Time: time.Now()}) != nil {
			return ctx
		}
		return context.WithValue(ctx, namedKey{}, claims.Subject)
	}
}

func fromHeader(ctx context.Context) string {
	name, _ := ctx.Value(namedKey{}).(string)
	return name
}

func (k *keeper) handler(options ...mcpserver.StreamableHTTPOption) http.Handler {
	s := mcpserver.NewMCPServer(
		"keeper",
		"1",
		mcpserver.WithToolCapabilities(false),
		mcpserver.WithTaskCapabilities(true, true, true),
	)
	s.AddTool(mcp.NewTool("make"), func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		k.mu.Lock()
		defer k.mu.Unlock()
		handle := rand.Text()
		k.handles[handle] = k.callerOf(ctx)
		return mcp.NewToolResultText(handle), nil
	})
	s.AddTool(
		mcp.NewTool("use", mcp.WithString("handle")),
		func(ctx context.Context, call mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			k.mu.Lock()
			defer k.mu.Unlock()
			if owner, found := k.handles[call.GetString("handle", "")]; !found || owner != k.callerOf(ctx) {
				return mcp.NewToolResultError(errNotYours.Error()), nil
			}
			return mcp.NewToolResultText("used"), nil
		},
	)
	s.AddTool(mcp.NewTool("ask", mcp.WithString("marker")), k.ask)
	s.AddTool(
		mcp.NewTool("work", mcp.WithTaskSupport(mcp.TaskSupportRequired)),
		func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return mcp.NewToolResultText("done"), nil
		},
	)
	options = append(options, mcpserver.WithDisableLocalhostProtection(true), mcpserver.WithStateful(true))
	return withTasksInSessions(mcpserver.NewStreamableHTTPServer(s, options...))
}

// withTasksInSessions refuses tasks without a session. mcp-go binds a task to its session, and
// would show tasks without a session to all callers. In 2026-07-28, the revision without sessions,
// the guard checks that the headers agree with the body.
func withTasksInSessions(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Header.Get("Mcp-Method"), "tasks/") || r.Header.Get("Mcp-Name") == "work" {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write(
				[]byte(`{"jsonrpc":"2.0","id":null,"error":{"code":-32601,"message":"tasks are for sessions"}}`),
			)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ask is a tool that first asks for a name and for consent on a page.
func (k *keeper) ask(ctx context.Context, call mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	marker := call.GetString("marker", "")
	if len(call.Params.InputResponses) == 0 {
		state := rand.Text()
		k.rounds[state] = &pending{owner: k.callerOf(ctx), marker: marker, until: time.Now().Add(time.Minute)}
		return mcpserver.NewInputRequestBuilder(state).
			Elicit(
				"name",
				mcp.ElicitationParams{
					Message: "Who is it for?",
					RequestedSchema: map[string]any{
						"type":       "object",
						"properties": map[string]any{"name": map[string]any{"type": "string"}},
					},
				},
			).
			Elicit(
				"terms",
				mcp.ElicitationParams{
					Mode:          mcp.ElicitationModeURL,
					Message:       "See the terms",
					URL:           "https://example.com/terms",
					ElicitationID: rand.Text(),
				},
			).
			ToolResult(), nil
	}
	found := k.rounds[call.Params.RequestState]
	if found == nil || found.owner != k.callerOf(ctx) || found.marker != marker || !time.Now().Before(found.until) {
		return nil, errNotYours
	}
	delete(k.rounds, call.Params.RequestState)
	return mcp.NewToolResultText(marker), nil
}
