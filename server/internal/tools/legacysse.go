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

// MessagePath is the path of [LegacySSE]'s message endpoint, below the path of the stream.
const MessagePath = "/message"

// LegacySSE serves the tools over the HTTP+SSE transport of MCP 2024-11-05, for clients that know
// no other: a stream at path, and messages at path + [MessagePath]. Mount both behind the same
// guard. A session belongs to the caller who opened its stream, and only this caller can send
// messages to it. It ends with the stream, and the stream ends with its token. Running calls end
// with the stream too, because their results could not be sent.
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
		// A relative URL works behind every proxy.
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
	streams sync.Map // from session ID to stream
}

// stream is a session and its stream of answers.
type stream struct {
	owner   owner
	ended   context.Context
	mu      sync.Mutex
	waiting []int64 // bytes of each message that waits for its answer, the oldest first
	bytes   int64   // sum of waiting
}

// These bound the messages that wait for one stream, and their bytes before one more is accepted.
// mcp-go keeps a message and its answer until the caller has read the answers before it.
const (
	maxWaiting      = 64
	maxWaitingBytes = 4 << 20
)

// reserve makes room for a message that needs an answer. It reports whether there was room.
func (s *stream) reserve(bytes int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) >= maxWaiting || s.bytes >= maxWaitingBytes {
		return false
	}
	s.waiting = append(s.waiting, bytes)
	s.bytes += bytes
	return true
}

// answered frees the room of the oldest message. The answer may be for another, which hardly
// matters.
func (s *stream) answered() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) > 0 {
		s.bytes -= s.waiting[0]
		s.waiting = s.waiting[1:]
	}
}

// A streamWriter counts the answers of its stream.
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

// Flush implements http.Flusher, which mcp-go needs.
func (w *streamWriter) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }

// Unwrap lets http.ResponseController set deadlines.
func (w *streamWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// streamKey is the context key under which begin finds the stream of a request.
type streamKey struct{}

// owner identifies the caller of a session.
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
	opened, ok := ctx.Value(streamKey{}).(*stream)
	if !ok {
		return "", errors.New("the request opens no stream")
	}
	opened.owner = caller
	opened.ended = ctx
	id := rand.Text()
	s.streams.Store(id, opened)
	context.AfterFunc(ctx, func() { s.streams.Delete(id) })
	return id, nil
}

// errStreamOver ends a call whose answer cannot be sent any more.
var errStreamOver = errors.New("the stream for the answer has ended")

// bound ends the context of a call with its stream. The call continues after its POST is answered,
// and mcp-go would let it run forever.
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
		if ctx.Err() != nil { // too many calls run
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
			http.Error(w, "this path is the stream of the HTTP+SSE transport: send messages to the endpoint that "+
				"it names", http.StatusMethodNotAllowed)
			return
		}
		opened := &stream{}
		r = r.WithContext(context.WithValue(r.Context(), streamKey{}, opened))
		s.server.SSEHandler().ServeHTTP(&streamWriter{w, opened}, r)
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

// serveMessage accepts a message if there is room for its answer. The guard has bounded the body.
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
	isJSON := json.Unmarshal(body, &message) == nil
	hasID := message.ID != nil && string(message.ID) != "null"
	isRequest := isJSON && hasID && message.Method != nil
	if isRequest && !opened.reserve(int64(len(body))) {
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

// refuseWaiting answers a message without room for its answer.
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
	_ = json.NewEncoder(w).Encode(struct {
		Version string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Error   problem         `json:"error"`
	}{"2.0", id, problem{-32000, "too many answers wait on the stream: read it, and send the message again"}})
}
