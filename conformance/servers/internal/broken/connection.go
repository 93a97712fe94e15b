package broken

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"regexp"
	"sync"
	"sync/atomic"
)

// A connection records which requests came over it.
type connection struct {
	served atomic.Bool // a request with a good token was served
	called atomic.Bool // a tool was called
}

type connectionKey struct{}

func withConnection(ctx context.Context, _ net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, &connection{})
}

// withShortBuffer lets few unread answers fill the buffer of a connection.
func withShortBuffer(ctx context.Context, accepted net.Conn) context.Context {
	if tcp, ok := accepted.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(256 << 10)
	}
	return withConnection(ctx, accepted)
}

func connectionOf(r *http.Request) *connection {
	found, _ := r.Context().Value(connectionKey{}).(*connection)
	if found == nil {
		return &connection{}
	}
	return found
}

// A rewriter is a listener whose connections change the bytes that are read. It simulates a broken
// HTTP parser.
type rewriter struct {
	net.Listener
	rewrite func([]byte) []byte
}

func (l *rewriter) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &rewritten{Conn: accepted, rewrite: l.rewrite}, nil
}

type rewritten struct {
	net.Conn
	mu      sync.Mutex
	rewrite func([]byte) []byte
}

func (c *rewritten) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	return copy(p, c.rewrite(bytes.Clone(p[:n]))), err
}

var (
	chunked = regexp.MustCompile(`(?i)transfer-encoding: chunked\r\n`)
	// A header line after a bare LF.
	hiddenChunked = regexp.MustCompile(`(?i)([^\r])\ntransfer-encoding: chunked\r\n`)
	length        = regexp.MustCompile(`(?i)content-length: \d+\r\n`)
	// The rest of the line after the size of a first chunk.
	bareExtension = regexp.MustCompile(`(\r\n\r\n[0-9a-f]+);a\n`)
	extension     = regexp.MustCompile(`(\r\n\r\n[0-9a-f]+);a=b\r\n`)
	absolute      = regexp.MustCompile(`^POST http://[^/]+/`)
	blankColon    = regexp.MustCompile(`(?i)(\r\n[a-z-]+) +:`)
)

// rewrites returns how the server's connections change the bytes that are read, or nil.
func (s *Server) rewrites() func([]byte) []byte {
	switch {
	case s.has(ReadsLengthBeforeChunks):
		return func(text []byte) []byte {
			if length.Match(text) {
				return chunked.ReplaceAll(text, nil)
			}
			return text
		}
	case s.has(AcceptsTwoLengths):
		return func(text []byte) []byte {
			found := length.FindAllIndex(text, 2)
			if len(found) < 2 {
				return text
			}
			return append(text[:found[1][0]:found[1][0]], text[found[1][1]:]...)
		}
	case s.has(IgnoresRequestLineHost):
		return func(text []byte) []byte { return absolute.ReplaceAll(text, []byte("POST /")) }
	case s.has(EndsLinesAtBareLF):
		return func(text []byte) []byte { return bareExtension.ReplaceAll(text, []byte("$1\r\n")) }
	case s.has(GluesLinesAtBareLF):
		return func(text []byte) []byte { return hiddenChunked.ReplaceAll(text, []byte("$1\r\n")) }
	case s.has(RefusesChunkExtensions):
		return func(text []byte) []byte { return extension.ReplaceAll(text, []byte("$1?\r\n")) }
	case s.has(AcceptsSpaceBeforeColon):
		return func(text []byte) []byte { return blankColon.ReplaceAll(text, []byte("$1:")) }
	}
	return nil
}
