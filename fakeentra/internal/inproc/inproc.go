package inproc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync"
)

// RoundTrip calls a handler with a request. Like a connection, it returns when the response starts.
// The body of the request is closed when the handler ends.
func RoundTrip(handler http.Handler, request *http.Request) (*http.Response, error) {
	if err := request.Context().Err(); err != nil {
		if request.Body != nil {
			request.Body.Close()
		}
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(request.Context())
	inbound := request.Clone(ctx)
	inbound.RequestURI = request.URL.RequestURI()
	if inbound.Host == "" {
		inbound.Host = request.URL.Host
	}
	inbound.RemoteAddr = "127.0.0.1:0"
	if inbound.Body == nil {
		inbound.Body = http.NoBody
	}
	answer := newStream(request.Method == http.MethodHead)
	stop := context.AfterFunc(ctx, func() { answer.fail(context.Cause(ctx)) })
	answer.gone = func() { cancel(errors.New("the body was closed")) }
	go func() {
		defer stop()
		defer cancel(nil)
		defer inbound.Body.Close()
		defer func() {
			switch cause := recover(); {
			case cause == nil:
			case ctx.Err() != nil:
				answer.fail(context.Cause(ctx))
			case cause == http.ErrAbortHandler:
				answer.fail(errAborted)
			default:
				answer.fail(fmt.Errorf("fakeentra: panic while answering: %v\n%s", cause, debug.Stack()))
			}
		}()
		handler.ServeHTTP(answer, inbound)
		if ctx.Err() != nil {
			answer.fail(context.Cause(ctx)) // the handler ended early
		}
		answer.end()
	}()
	<-answer.begun
	return answer.response(request)
}

// errAborted is the error after the handler cut the connection.
var errAborted = fmt.Errorf("fakeentra: the connection was cut: %w", io.ErrUnexpectedEOF)

// A response starts after streamStart bytes. After streamBuffer bytes the handler waits for the
// reader.
const (
	streamBuffer = 256 << 10
	streamStart  = 4 << 10
)

// A stream carries a response from a handler to a reader. A response that fits the buffer never
// makes the handler wait.
type stream struct {
	begun chan struct{} // closed when the response starts or fails
	gone  func()        // called when the reader closes the body
	head  bool          // the response has no body

	header http.Header // the handler's header

	mu      sync.Mutex
	moved   *sync.Cond // on mu; signals each write, read and end
	status  int
	sent    http.Header // the reader's copy of the header
	started bool        // the reader has the status and the header
	length  int64       // length of the body, or -1 if unknown
	buffer  []byte
	err     error // reason for the end; io.EOF after a good end
}

func newStream(head bool) *stream {
	s := &stream{begun: make(chan struct{}), head: head, header: http.Header{}, length: -1}
	s.moved = sync.NewCond(&s.mu)
	return s
}

// Header returns the header that the handler fills in.
func (s *stream) Header() http.Header { return s.header }

// WriteHeader sets the status. It ignores informational statuses.
func (s *stream) WriteHeader(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writeHeader(status)
}

func (s *stream) writeHeader(status int) {
	if s.status == 0 && status >= 200 {
		s.status = status
		s.sent = s.header.Clone()
	}
}

// start hands the response to the reader.
func (s *stream) start() {
	if !s.started && s.err == nil {
		s.started = true
		close(s.begun)
	}
}

func (s *stream) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writeHeader(http.StatusOK)
	if s.head {
		return len(text), nil
	}
	for written := 0; ; {
		if s.err != nil {
			return written, s.err
		}
		part := text[written:min(len(text), written+streamBuffer-len(s.buffer))]
		s.buffer = append(s.buffer, part...)
		written += len(part)
		if len(s.buffer) >= streamStart {
			s.start()
		}
		s.moved.Broadcast()
		if written == len(text) {
			return written, nil
		}
		s.moved.Wait()
	}
}

// Flush starts the response if it has not started.
func (s *stream) Flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writeHeader(http.StatusOK)
	s.start()
}

// end ends the response after its handler.
func (s *stream) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writeHeader(http.StatusOK)
	if !s.started && !s.head {
		s.length = int64(len(s.buffer)) // the whole body
	}
	s.start()
	s.finish(io.EOF)
}

// fail ends the response with an error. It does nothing after the end.
func (s *stream) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finish(err)
}

func (s *stream) finish(err error) {
	if s.err != nil {
		return
	}
	s.err = err
	if !s.started {
		close(s.begun)
	}
	s.moved.Broadcast()
}

// response returns the response for the client, or the error if it did not start.
func (s *stream) response(request *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.started {
		return nil, s.err
	}
	length := s.length
	if declared := s.sent.Get("Content-Length"); declared != "" {
		if n, err := strconv.ParseInt(declared, 10, 64); err == nil && n >= 0 {
			length = n
		}
	}
	return &http.Response{
		Status:        fmt.Sprintf("%d %s", s.status, http.StatusText(s.status)),
		StatusCode:    s.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        s.sent,
		Body:          (*streamBody)(s),
		ContentLength: length,
		Request:       request,
	}, nil
}

// A streamBody is the reader's side of a stream.
type streamBody stream

func (b *streamBody) Read(into []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.buffer) == 0 && b.err == nil {
		b.moved.Wait()
	}
	if len(b.buffer) == 0 {
		return 0, b.err
	}
	n := copy(into, b.buffer)
	b.buffer = b.buffer[n:]
	b.moved.Broadcast()
	return n, nil
}

// Close ends the handler's writes and its context.
func (b *streamBody) Close() error {
	(*stream)(b).fail(io.ErrClosedPipe) // first, because the end of the context fails the stream too
	b.gone()
	return nil
}
