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

// TestStateBehindTheGuardIsItsUsers holds tools that keep state for their callers to the checks of
// state. They know their callers by what the guard says, and by nothing else: it has to reach them
// in every revision, in sessions and without.
func TestStateBehindTheGuardIsItsUsers(t *testing.T) {
	t.Parallel()
	only := []string{"server/state", "server/request-state", "server/elicitation", "server/task"}
	put := func(config *server.Config) *keeper {
		k := newKeeper(fromGuard)
		config.MCP = k.handler()
		config.Stateful = true
		return k
	}
	t.Run("broker", func(t *testing.T) {
		t.Parallel()
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		var k *keeper
		origin := startServer(t, func(config *server.Config) {
			config.SigningKey = key
			k = put(config)
		})
		target := brokerTarget(t, origin+"/mcp", key)
		k.describe(&target)
		servers.Test(t, target, only...)
	})
	t.Run("direct", func(t *testing.T) {
		t.Parallel()
		fake := fakeentra.NewServer(fakeentra.Config{Directory: apiDirectory()})
		t.Cleanup(fake.Close)
		var k *keeper
		origin := startServer(t, func(config *server.Config) {
			direct(fake)(config)
			k = put(config)
		})
		target := directTarget(t, origin+"/mcp", fake)
		k.describe(&target)
		servers.Test(t, target, only...)
	})
	t.Run("an upstream", func(t *testing.T) {
		t.Parallel()
		fake := fakeentra.NewServer(fakeentra.Config{Directory: apiDirectory()})
		t.Cleanup(fake.Close)
		var origin string
		k := newKeeper(fromHeader)
		behind := httptest.NewServer(k.handler(mcpserver.WithHTTPContextFunc(named(func() string { return origin }))))
		t.Cleanup(behind.Close)
		origin = startServer(t, func(config *server.Config) {
			direct(fake)(config)
			config.Upstream = behind.URL + "/mcp"
			config.Stateful = true
		})
		target := directTarget(t, origin+"/mcp", fake)
		k.describe(&target)
		servers.Test(t, target, only...)
	})
}

// A keeper has tools that keep state for their callers.
type keeper struct {
	callerOf func(context.Context) string // empty where nobody is named

	mu      sync.Mutex
	handles map[string]string
	rounds  map[string]*pending
}

// pending is a request that has asked back.
type pending struct {
	owner  string
	marker string
	until  time.Time
}

func newKeeper(callerOf func(context.Context) string) *keeper {
	return &keeper{callerOf: callerOf, handles: map[string]string{}, rounds: map[string]*pending{}}
}

// describe tells the checks of the tools.
func (k *keeper) describe(target *servers.Target) {
	target.Handles = &servers.Handles{Make: "make", Use: "use"}
	target.Rounds = &servers.Rounds{
		Tool: "ask",
		Answers: map[string]any{
			"name":  map[string]any{"action": "accept", "content": map[string]any{"name": "x"}},
			"terms": map[string]any{"action": "accept"},
		},
		Once: true,
		Expire: func(state string) {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.rounds[state].until = time.Now()
		},
	}
	target.TaskTool = "work"
}

var errNotYours = errors.New("there is no such thing")

// fromGuard is the caller as the guard names it to a handler.
func fromGuard(ctx context.Context) string {
	caller, known := guard.FromContext(ctx)
	if !known {
		return ""
	}
	return caller.TenantID + "." + caller.ObjectID
}

type namedKey struct{}

// named puts the caller as the guard names it to an upstream where fromHeader finds it. It believes
// what the guard's published keys have signed.
func named(origin func() string) func(context.Context, *http.Request) context.Context {
	return func(ctx context.Context, r *http.Request) context.Context {
		token, err := jwt.ParseSigned(r.Header.Get(upstream.CallerHeader), []jose.SignatureAlgorithm{jose.ES256})
		if err != nil {
			return ctx
		}
		answer, err := http.Get(origin() + server.CallerKeysPath)
		if err != nil {
			return ctx
		}
		defer answer.Body.Close()
		var keys jose.JSONWebKeySet
		var claims jwt.Claims
		if json.NewDecoder(answer.Body).Decode(&keys) != nil || token.Claims(&keys, &claims) != nil ||
			claims.Validate(jwt.Expected{Issuer: origin(), Time: time.Now()}) != nil {
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

// withTasksInSessions keeps tasks from whoever has no session: mcp-go knows whose a task is by the
// session, and shows it to everybody who has none. The guard sees to it that in 2026-07-28, the
// revision without sessions, the headers say what the body says.
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

// ask asks for a name first, and for a look at a page.
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
