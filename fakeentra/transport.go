package fakeentra

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
)

// Client reaches the fake without a port: requests to its own host, and to Microsoft's, are answered by a call. A
// request to any other host is an error, so that a test never leaves the machine by accident. Bodies stream in both
// directions, and a request ends with its context.
func (f *Fake) Client() *http.Client {
	return &http.Client{Transport: roundTripper(f.roundTrip)}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }

func (f *Fake) roundTrip(request *http.Request) (*http.Response, error) {
	if own := request.URL.Scheme + "://" + request.URL.Host; !f.answersFor(own) {
		if request.Body != nil {
			request.Body.Close()
		}
		return nil, fmt.Errorf("fakeentra: %s is not a host of this fake, and its client reaches no other", own)
	}
	return call(f, request)
}

// answersFor reports whether an origin is one of the fake's.
func (f *Fake) answersFor(origin string) bool {
	return origin == f.authority || origin == f.backchannel || origin == f.graphURL || origin == f.cloud.graph ||
		slices.ContainsFunc(f.cloud.aliases, func(alias string) bool { return origin == "https://"+alias })
}

// call hands a request to a handler and returns as soon as the answer has begun, as a connection would. The request's
// body is the handler's until it ends.
func call(handler http.Handler, request *http.Request) (*http.Response, error) {
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
			answer.fail(context.Cause(ctx)) // the handler gave up, too
		}
		answer.end()
	}()
	<-answer.begun
	return answer.response(request)
}

// errAborted is what a client sees of a connection that was cut.
var errAborted = fmt.Errorf("fakeentra: the connection was cut: %w", io.ErrUnexpectedEOF)

// How much of an answer waits for its reader before the handler has to, and from how much on it begins without its end.
const (
	streamBuffer = 256 << 10
	streamStart  = 4 << 10
)

// A stream is an answer on its way from a handler to a reader. An answer that fits its buffer keeps nobody waiting.
type stream struct {
	begun chan struct{} // closed once the status is known and the answer is on its way
	gone  func()        // called when the reader leaves
	head  bool

	header http.Header // the handler's own

	mu      sync.Mutex
	moved   *sync.Cond // by mu: something was written, read, or has ended
	status  int
	sent    http.Header // what the reader sees
	started bool        // status and header are on their way
	length  int64       // of the whole body where it is known, or else -1
	buffer  []byte
	err     error // why there is no more: io.EOF after a good end
}

func newStream(head bool) *stream {
	s := &stream{begun: make(chan struct{}), head: head, header: http.Header{}, length: -1}
	s.moved = sync.NewCond(&s.mu)
	return s
}

// Header is for the handler to fill in.
func (s *stream) Header() http.Header { return s.header }

// WriteHeader fixes the status. Informational ones are not handed on.
func (s *stream) WriteHeader(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writeHeader(status)
}

func (s *stream) writeHeader(status int) {
	if s.status == 0 && status >= 200 {
		s.status, s.sent = status, s.header.Clone()
	}
}

// start lets the reader have the answer.
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

// Flush sends what there is, the header at least.
func (s *stream) Flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writeHeader(http.StatusOK)
	s.start()
}

// end is the end of the handler.
func (s *stream) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writeHeader(http.StatusOK)
	if !s.started && !s.head {
		s.length = int64(len(s.buffer)) // all of it is here
	}
	s.start()
	s.finish(io.EOF)
}

// fail ends the answer with an error, unless it has ended.
func (s *stream) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finish(err)
}

func (s *stream) finish(err error) {
	if s.err != nil {
		return
	}
	if s.err = err; !s.started {
		close(s.begun)
	}
	s.moved.Broadcast()
}

// response is the answer as a client gets it. It is an error when nothing was answered.
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
		Status: fmt.Sprintf("%d %s", s.status, http.StatusText(s.status)), StatusCode: s.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: s.sent, Body: (*streamBody)(s), ContentLength: length, Request: request,
	}, nil
}

// A streamBody is a stream as its reader sees it.
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

// Close tells the handler that nobody reads on.
func (b *streamBody) Close() error {
	b.gone()
	(*stream)(b).fail(io.ErrClosedPipe)
	return nil
}
