package tools

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"mcpentra/server/entra"
	"mcpentra/server/identity"
)

// Config wires the tools to what they need. GraphToken and Me are required.
type Config struct {
	// Name and Version are how the server introduces itself; "" means mcp-entra-server, and 0.
	Name, Version string
	// GraphToken returns an access token for Microsoft Graph that speaks for the caller.
	GraphToken func(ctx context.Context, id *identity.Caller) (string, error)
	// Me asks Graph who a token speaks for; [entra.Client.Me] does.
	Me func(ctx context.Context, graphToken string) (*entra.Profile, error)
	// Stateful keeps a session for each client of the revisions before 2026-07-28. The guard in
	// front has to be told, too, or a session is anybody's.
	Stateful bool
	// MaxSessions is how many sessions are kept; the one that was not used for longest goes. Zero
	// means 10,000; a negative value means a million. It should be no less than what the guard
	// allows, which knows whose they are.
	MaxSessions int
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Logger hears of failures, without tokens; nil discards.
	Logger *slog.Logger
}

const instructions = "Tools that answer for the signed-in Microsoft 365 user. They take no arguments: the user is the one who signed in."

// toolset is the receiver of the tools' handlers.
type toolset struct {
	cfg Config
	log *slog.Logger
}

func newToolset(cfg Config) *toolset {
	if cfg.Name == "" {
		cfg.Name = "mcp-entra-server"
	}
	if cfg.Version == "" {
		cfg.Version = "0"
	}
	switch {
	case cfg.MaxSessions == 0:
		cfg.MaxSessions = defaultSessions
	case cfg.MaxSessions < 0:
		cfg.MaxSessions = mostSessions
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	t := &toolset{cfg: cfg, log: cfg.Logger}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	return t
}

func (t *toolset) server() *mcpserver.MCPServer {
	server := mcpserver.NewMCPServer(t.cfg.Name, t.cfg.Version,
		mcpserver.WithToolCapabilities(false), mcpserver.WithRecovery(), mcpserver.WithInstructions(instructions))
	server.AddTool(userNameTool(), t.userName)
	server.AddTool(whoamiTool(), t.whoami)
	return server
}

// Handler serves the tools. It answers on every path, so it is mounted, behind its guard, at
// exactly one.
func Handler(cfg Config) http.Handler {
	t := newToolset(cfg)
	server := t.server()
	options := []mcpserver.StreamableHTTPOption{
		// The guard checks Host, against the public name.
		mcpserver.WithDisableLocalhostProtection(true),
		mcpserver.WithStreamableHTTPLogger(t.log),
	}
	if cfg.Stateful {
		over := func(id string) { server.UnregisterSession(context.Background(), id) }
		options = append(options, mcpserver.WithSessionIdManager(newSessionList(t.cfg.MaxSessions, t.cfg.Now, over)))
	} else {
		// Without state all listening streams of the older revisions would share one session, and
		// with it each other's notifications.
		options = append(options, mcpserver.WithStateLess(true), mcpserver.WithDisableStreaming(true))
	}
	return mcpserver.NewStreamableHTTPServer(server, options...)
}

// readOnly is what both tools are. mcp-go presumes the opposite of the three unless told.
func readOnly() mcp.ToolOption {
	return func(tool *mcp.Tool) {
		mcp.WithReadOnlyHintAnnotation(true)(tool)
		mcp.WithDestructiveHintAnnotation(false)(tool)
		mcp.WithIdempotentHintAnnotation(true)(tool)
	}
}

// withOutputSchema is the schema of a structured answer. No slice in it is nil, so its arrays are
// never null; a list of types is more than some clients and model providers take.
func withOutputSchema[T any]() mcp.ToolOption {
	return func(tool *mcp.Tool) {
		mcp.WithOutputSchema[T]()(tool)
		for _, property := range tool.OutputSchema.Properties {
			schema, described := property.(map[string]any)
			if types, several := schema["type"].([]any); described && several && slices.Contains(types, any("array")) {
				schema["type"] = "array"
			}
		}
	}
}
