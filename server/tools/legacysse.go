package tools

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"sync"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"mcpentra/server/guard"
)

// MessagePath is what the message endpoint of [LegacySSE] is called below the path of the stream.
const MessagePath = "/message"

// LegacySSE serves the tools over the HTTP+SSE transport of MCP 2024-11-05, for clients that know no other: a stream at
// path, and messages at path + [MessagePath]. Both have to be mounted behind the same guard. A stream's session is the
// caller's who opened it, and nobody else can send messages to it. It ends with the stream, which ends with its token, and
// so do the calls that are running then: nobody could be told their result. Otherwise a call ends as any other.
func LegacySSE(cfg Config, path string) http.Handler {
	s := &legacySSE{path: path}
	server := newToolset(cfg).server()
	server.Use(s.bound)
	s.server = mcpserver.NewSSEServer(server,
		mcpserver.WithSSEEndpoint(path),
		mcpserver.WithMessageEndpoint(path+MessagePath),
		// Where this server is reached at, clients know better.
		mcpserver.WithUseFullURLForMessageEndpoint(false),
		mcpserver.WithSessionIDGenerator(s.begin),
		mcpserver.WithSSEDisableLocalhostProtection(true),
	)
	return s
}

type legacySSE struct {
	path    string
	server  *mcpserver.SSEServer
	streams sync.Map // session id to stream; as many as there are
}

// stream is a session.
type stream struct {
	owner owner
	ended context.Context
}

// owner is whose session it is.
type owner struct {
	principal guard.Principal
	clientID  string
}

func ownerOf(ctx context.Context) (owner, bool) {
	id, known := guard.FromContext(ctx)
	if !known {
		return owner{}, false
	}
	return owner{id.Principal, id.ClientID}, true
}

// begin makes a session for the caller of a stream.
func (s *legacySSE) begin(ctx context.Context, _ *http.Request) (string, error) {
	caller, known := ownerOf(ctx)
	if !known {
		return "", errors.New("the request has no verified caller")
	}
	id := rand.Text()
	s.streams.Store(id, stream{caller, ctx})
	context.AfterFunc(ctx, func() { s.streams.Delete(id) })
	return id, nil
}

// errStreamOver is why a call ends whose answer could not be sent.
var errStreamOver = errors.New("the stream has ended that the answer would have gone to")

// bound ends the context of a call, which goes on when its POST has been answered, and which mcp-go lets run for ever.
func (s *legacySSE) bound(next mcpserver.ToolHandlerFunc) mcpserver.ToolHandlerFunc {
	return func(ctx context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		session := mcpserver.ClientSessionFromContext(ctx)
		if session == nil {
			return nil, errStreamOver
		}
		open, there := s.streams.Load(session.SessionID())
		if !there {
			return nil, errStreamOver
		}
		ctx, end := guard.Detached(ctx)
		defer end()
		if ctx.Err() != nil { // there is no room for one more
			return nil, context.Cause(ctx)
		}
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		defer context.AfterFunc(open.(stream).ended, func() { cancel(errStreamOver) })()
		return next(ctx, request)
	}
}

func (s *legacySSE) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case s.path:
		if r.Method != http.MethodGet {
			w.Header().Set("Allow", http.MethodGet)
			http.Error(w, "this path is the stream of the HTTP+SSE transport; messages go to the endpoint that it names", http.StatusMethodNotAllowed)
			return
		}
		s.server.SSEHandler().ServeHTTP(w, r)
	case s.path + MessagePath:
		caller, known := ownerOf(r.Context())
		opened, there := s.streams.Load(r.URL.Query().Get("sessionId"))
		if !known || !there || opened.(stream).owner != caller {
			http.Error(w, "session not found", http.StatusNotFound)
			return
		}
		s.server.MessageHandler().ServeHTTP(w, r)
	default:
		http.NotFound(w, r)
	}
}
