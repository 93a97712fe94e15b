package tools

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"sync"

	mcpserver "github.com/mark3labs/mcp-go/server"

	"mcpentra/server/guard"
)

// MessagePath is what the message endpoint of [LegacySSE] is called below the path of the stream.
const MessagePath = "/message"

// LegacySSE serves the tools over the HTTP+SSE transport of MCP 2024-11-05, for clients that know no other: a stream at
// path, and messages at path + [MessagePath]. Both have to be mounted behind the same guard. A stream's session is the
// caller's who opened it, and nobody else can send messages to it. It ends with the stream, which ends with its token.
func LegacySSE(cfg Config, path string) http.Handler {
	s := &legacySSE{path: path}
	t := newToolset(cfg)
	s.server = mcpserver.NewSSEServer(t.server(),
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
	path   string
	server *mcpserver.SSEServer
	owners sync.Map // session id to owner; as many as there are streams
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
func (s *legacySSE) begin(ctx context.Context, r *http.Request) (string, error) {
	caller, known := ownerOf(ctx)
	if !known {
		return "", errors.New("the request has no verified caller")
	}
	id := rand.Text()
	s.owners.Store(id, caller)
	context.AfterFunc(r.Context(), func() { s.owners.Delete(id) })
	return id, nil
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
		whose, open := s.owners.Load(r.URL.Query().Get("sessionId"))
		if !known || !open || whose != caller {
			http.Error(w, "session not found", http.StatusNotFound)
			return
		}
		s.server.MessageHandler().ServeHTTP(w, r)
	default:
		http.NotFound(w, r)
	}
}
