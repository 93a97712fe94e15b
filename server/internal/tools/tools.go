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
	// Name and Version are the server's name and version; "" means mcp-entra-server, and 0.
	Name, Version string
	// GraphToken returns an access token of the caller for Microsoft Graph.
	GraphToken func(ctx context.Context, id *identity.Caller) (string, error)
	// Me asks Graph for the person of a token, such as [entra.Client.Me].
	Me func(ctx context.Context, graphToken string) (*entra.Profile, error)
	// Challenged learns of a claims challenge, a JSON object, with which Graph refused a caller's
	// token. The caller can meet it only in a new sign-in. Nil ignores it.
	Challenged func(ctx context.Context, id *identity.Caller, claims string) error
	// Stateful keeps a session for each client of the revisions before 2026-07-28. The guard in
	// front must have it set too, because the guard binds sessions to callers.
	Stateful bool
	// MaxSessions bounds the number of sessions; one too many ends the least recently used. Zero
	// means 10,000; a negative value means a million. It should not be less than the guard's limit,
	// because the guard knows the sessions' callers.
	MaxSessions int
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Logger records failures, without tokens; nil discards.
	Logger *slog.Logger
}

const instructions = "Tools that answer for the signed-in Microsoft 365 user. They take no arguments: the user is " +
	"the one who signed in."

// toolset implements the tools' handlers.
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

// Handler serves the tools. It answers on every path, so mount it at exactly one, behind its guard.
func Handler(cfg Config) http.Handler {
	t := newToolset(cfg)
	server := t.server()
	options := []mcpserver.StreamableHTTPOption{
		// The guard checks Host against the public name.
		mcpserver.WithDisableLocalhostProtection(true),
		mcpserver.WithStreamableHTTPLogger(t.log),
	}
	if cfg.Stateful {
		onEnd := func(id string) { server.UnregisterSession(context.Background(), id) }
		options = append(options, mcpserver.WithSessionIdManager(newSessionList(t.cfg.MaxSessions, t.cfg.Now, onEnd)))
	} else {
		// Without state, all listening streams of the older revisions would share one session, and
		// so receive each other's notifications.
		options = append(options, mcpserver.WithStateLess(true), mcpserver.WithDisableStreaming(true))
	}
	return mcpserver.NewStreamableHTTPServer(server, options...)
}

// readOnly sets three hints that both tools share. mcp-go's defaults are the opposite.
func readOnly() mcp.ToolOption {
	return func(tool *mcp.Tool) {
		mcp.WithReadOnlyHintAnnotation(true)(tool)
		mcp.WithDestructiveHintAnnotation(false)(tool)
		mcp.WithIdempotentHintAnnotation(true)(tool)
	}
}

// withOutputSchema adds the schema of a structured answer. Arrays are never null, because no slice
// of an answer is nil. Some clients and model providers do not accept a list of types.
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
