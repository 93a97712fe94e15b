package upstream

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// idleTimeout is how long an idle connection to the upstream is kept. Usual servers keep one longer
// (gunicorn 2 s; uvicorn, Node.js and Apache 5 s), so they seldom close a connection that a request
// is on its way to.
const idleTimeout = 1500 * time.Millisecond

// An HTTP/2 connection that is silent for pingAfter is pinged. It is closed if no answer comes
// within pingTimeout. All callers share the connection, so if a router drops it without a reset,
// their calls hang, and so do later calls. A tool that blocks its whole program answers no ping
// either, so pingTimeout is long.
const (
	pingAfter   = 15 * time.Second
	pingTimeout = time.Minute
)

// maxAttempts is how many connections are tried for one request.
const maxAttempts = 3

// A sender sends each request to the upstream once: it gives the transport no way to repeat one. It
// tries again only if the upstream has closed an idle connection and no byte of the request was
// written to it.
type sender struct {
	next      http.RoundTripper
	closeIdle func() // closes the connections that wait for a request
}

func newSender(transport http.RoundTripper, timeout time.Duration) *sender {
	if transport == nil {
		transport = newTransport(timeout)
	}
	s := &sender{next: transport, closeIdle: func() {}}
	if closer, ok := transport.(interface{ CloseIdleConnections() }); ok {
		s.closeIdle = closer.CloseIdleConnections
	}
	return s
}

func newTransport(timeout time.Duration) *http.Transport {
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}
	t := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			connection, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &countedConn{Conn: connection}, nil
		},
		TLSHandshakeTimeout:    5 * time.Second,
		IdleConnTimeout:        idleTimeout, // for HTTP/2 too
		MaxIdleConns:           256,
		MaxIdleConnsPerHost:    256,
		MaxResponseHeaderBytes: 64 << 10,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
	}
	if timeout > 0 {
		t.ResponseHeaderTimeout = timeout
	}
	return t
}

// send sends a request with a body, which may be empty.
func (s *sender) send(r *http.Request, body []byte) (*http.Response, error) {
	for n := 1; ; n++ {
		var a attempt
		answer, err := s.next.RoundTrip(a.request(r, body))
		if err == nil || n == maxAttempts || !a.unsent() || r.Context().Err() != nil {
			return answer, err
		}
		s.closeIdle() // the upstream has probably closed the other idle connections too
	}
}

// An attempt sends a request over one connection.
type attempt struct {
	writing atomic.Bool                 // HTTP/2 has started to write the request
	conn    atomic.Pointer[countedConn] // nil unless it was idle before
	written atomic.Int64                // bytes written to the connection before this request
	http2   atomic.Bool
}

// request copies a request and gives the copy a body that can be read once. An empty body is a
// reader of no bytes, since the transport may repeat a request without a body.
func (a *attempt) request(r *http.Request, body []byte) *http.Request {
	sent := r.Clone(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		GotConn:          a.gotConn,
		WroteHeaderField: func(string, []string) { a.writing.Store(true) },
	}))
	sent.Body = io.NopCloser(bytes.NewReader(body))
	sent.ContentLength = int64(len(body))
	sent.GetBody = nil
	sent.Trailer = nil
	sent.TransferEncoding = nil
	return sent
}

// gotConn notes which connection the request will take. If it is an idle one that the upstream has
// closed, gotConn closes it before the request is written to it.
func (a *attempt) gotConn(info httptrace.GotConnInfo) {
	raw := info.Conn
	if encrypted, ok := raw.(*tls.Conn); ok {
		a.http2.Store(encrypted.ConnectionState().NegotiatedProtocol == "h2")
		raw = encrypted.NetConn()
	}
	connection, counted := raw.(*countedConn)
	isNew := !info.Reused && !info.WasIdle
	if isNew || !counted {
		a.conn.Store(nil)
		return
	}
	a.written.Store(connection.written.Load())
	a.conn.Store(connection)
	if connection.closedByPeer(a.http2.Load()) {
		_ = connection.Close()
	}
}

// unsent reports whether the request certainly had an idle connection, and no byte of the request
// was written to it.
func (a *attempt) unsent() bool {
	connection := a.conn.Load()
	if connection == nil {
		return false
	}
	return connection.written.Load() == a.written.Load() || a.http2.Load() && !a.writing.Load()
}

// A countedConn counts the bytes that are written to a connection.
type countedConn struct {
	net.Conn
	written atomic.Int64
}

// Write counts the bytes before it writes them, and subtracts those that it could not write. It
// does not count the alert that ends TLS, which is not part of a request.
func (c *countedConn) Write(p []byte) (int, error) {
	if isAlert(p) {
		return c.Conn.Write(p)
	}
	c.written.Add(int64(len(p)))
	n, err := c.Conn.Write(p)
	c.written.Add(int64(n - len(p)))
	return n, err
}

// The header of a TLS record has a type, two bytes of version, and two bytes for the length of the
// rest (RFC 8446 section 5.1). An encrypted alert of TLS 1.3 has two bytes of alert, its type, and
// the 16 bytes that all ciphers add (sections 5.2 and 6).
const (
	recordHeader    = 5
	alertRecord     = 21
	encryptedRecord = 23
	encryptedAlert  = 2 + 1 + 16
)

// isAlert reports whether a written text is a TLS alert. It looks at the type, or at the length if
// the type is encrypted: no request fits into a record of that length.
func isAlert(written []byte) bool {
	return len(written) >= recordHeader && len(written) == recordHeader+recordLength(written) && holdsAlert(written)
}

func recordLength(record []byte) int { return int(binary.BigEndian.Uint16(record[3:])) }

// holdsAlert reports whether one of the TLS records at the beginning of a text is an alert.
func holdsAlert(records []byte) bool {
	for len(records) >= recordHeader {
		length := recordLength(records)
		if records[0] == alertRecord || records[0] == encryptedRecord && length == encryptedAlert {
			return true
		}
		records = records[min(len(records), recordHeader+length):]
	}
	return false
}
