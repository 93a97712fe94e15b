package tools

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"mcpentra/server/guard"
	"mcpentra/server/identity"
)

// MessagePath is what the message endpoint of [LegacySSE] is called below the path of the stream.
const MessagePath = "/message"

// LegacySSE serves the tools over the HTTP+SSE transport of MCP 2024-11-05, for clients that know
// no other: a stream at path, and messages at path + [MessagePath]. Both have to be mounted behind
// the same guard. A stream's session is the caller's who opened it, and nobody else can send
// messages to it. It ends with the stream, which ends with its token, and so do the calls that are
// running then: nobody could be told their result. Otherwise a call ends as any other.
func LegacySSE(cfg Config, path string) http.Handler {
	s := &legacySSE{path: path, log: cfg.Logger}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
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
	log     *slog.Logger
	server  *mcpserver.SSEServer
	streams sync.Map // session id to stream; as many as there are
}

// stream is a session.
type stream struct {
	owner   owner
	ended   context.Context
	mu      sync.Mutex
	waiting []int64 // the bytes of each message whose answer has not been sent, the oldest first
	bytes   int64   // of all of these
}

// What may wait for one stream: messages, and their bytes before one more is taken. mcp-go keeps a
// message and its answer until the caller has read what came before.
const (
	maxWaiting      = 64
	maxWaitingBytes = 4 << 20
)

// take makes room for a message that wants an answer, if there is any.
func (s *stream) take(bytes int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) >= maxWaiting || s.bytes >= maxWaitingBytes {
		return false
	}
	s.waiting = append(s.waiting, bytes)
	s.bytes += bytes
	return true
}

// answered notes that an answer was sent. Which message it is for makes little difference.
func (s *stream) answered() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) > 0 {
		s.bytes -= s.waiting[0]
		s.waiting = s.waiting[1:]
	}
}

// A streamWriter tells its stream when an answer was sent.
type streamWriter struct {
	http.ResponseWriter
	stream *stream
}

func (w *streamWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	if bytes.HasPrefix(p, []byte("event: message\n")) {
		w.stream.answered()
	}
	return n, err
}

// Flush is what mcp-go asks of the writer of a stream.
func (w *streamWriter) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }

// Unwrap lets http.ResponseController set deadlines.
func (w *streamWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// streamKey is where begin finds the stream of a request.
type streamKey struct{}

// owner is whose session it is.
type owner struct {
	principal identity.Principal
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
	begun, made := ctx.Value(streamKey{}).(*stream)
	if !made {
		return "", errors.New("the request opens no stream")
	}
	begun.owner = caller
	begun.ended = ctx
	id := rand.Text()
	s.streams.Store(id, begun)
	context.AfterFunc(ctx, func() { s.streams.Delete(id) })
	return id, nil
}

// errStreamOver is why a call ends whose answer could not be sent.
var errStreamOver = errors.New("the stream has ended that the answer would have gone to")

// bound ends the context of a call, which goes on when its POST has been answered, and which mcp-go
// lets run for ever.
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
		defer context.AfterFunc(open.(*stream).ended, func() { cancel(errStreamOver) })()
		return next(ctx, request)
	}
}

func (s *legacySSE) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case s.path:
		if r.Method != http.MethodGet {
			w.Header().Set("Allow", http.MethodGet)
			http.Error(
				w,
				"this path is the stream of the HTTP+SSE transport; messages go to the endpoint that it names",
				http.StatusMethodNotAllowed,
			)
			return
		}
		begun := &stream{}
		r = r.WithContext(context.WithValue(r.Context(), streamKey{}, begun))
		s.server.SSEHandler().ServeHTTP(&streamWriter{w, begun}, r)
	case s.path + MessagePath:
		caller, known := ownerOf(r.Context())
		found, there := s.streams.Load(r.URL.Query().Get("sessionId"))
		opened, _ := found.(*stream)
		if !known || !there || opened.owner != caller {
			http.Error(w, "session not found", http.StatusNotFound)
			return
		}
		s.serveMessage(w, r, opened)
	default:
		http.NotFound(w, r)
	}
}

// serveMessage takes a message if there is room for its answer. The guard has bounded the body.
func (s *legacySSE) serveMessage(w http.ResponseWriter, r *http.Request, opened *stream) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "the body could not be read", http.StatusBadRequest)
		return
	}
	var message struct {
		ID     json.RawMessage `json:"id"`
		Method *string         `json:"method"`
	}
	isRequest := json.Unmarshal(body, &message) == nil && message.ID != nil && string(message.ID) != "null" &&
		message.Method != nil
	if isRequest && !opened.take(int64(len(body))) {
		s.log.WarnContext(r.Context(), "refused", "status", http.StatusTooManyRequests, "path", s.path+MessagePath,
			"reason", "too many answers wait for a stream that its caller does not read", "limit", maxWaiting,
			"tenant", opened.owner.principal.TenantID, "object", opened.owner.principal.ObjectID,
			"client", opened.owner.clientID)
		refuseWaiting(w, message.ID)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	s.server.MessageHandler().ServeHTTP(w, r)
}

// refuseWaiting answers a message for whose answer there is no room.
func refuseWaiting(w http.ResponseWriter, id json.RawMessage) {
	header := w.Header()
	header.Set("Retry-After", "1")
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusTooManyRequests)
	type problem struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}
	_ = json.NewEncoder(w).Encode(struct { // a client that is gone cannot be told
		Version string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Error   problem         `json:"error"`
	}{"2.0", id, problem{-32000, "too many answers wait on the stream: read it, and send the message again"}})
}
