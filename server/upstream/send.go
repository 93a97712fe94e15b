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

// idleTimeout is how long a connection to the upstream is kept for the next request. It is below
// what usual servers keep them for, so that they seldom close one that a request is on its way to:
// gunicorn has 2 s, uvicorn, Node.js and Apache 5 s.
const idleTimeout = 1500 * time.Millisecond

// An HTTP/2 connection that brings nothing for pingAfter is pinged. It is closed if no answer comes
// within pingTimeout. All callers share the connection. If a router drops it without a reset, their
// calls hang, and so do later calls. A tool that blocks its whole program answers no ping either,
// so the time is long.
const (
	pingAfter   = 15 * time.Second
	pingTimeout = time.Minute
)

// maxAttempts bounds how many connections are tried for one request.
const maxAttempts = 3

// A sender sends requests to the upstream, and never the same one twice: the transport has no way
// to repeat one. The exception is a kept connection that the upstream has closed, if no byte was
// written to it for this request.
type sender struct {
	next      http.RoundTripper
	closeIdle func() // closes the connections that wait for a request
}

func newSender(transport http.RoundTripper, timeout time.Duration) *sender {
	if transport == nil {
		transport = newTransport(timeout)
	}
	s := &sender{next: transport, closeIdle: func() {}}
	if closer, can := transport.(interface{ CloseIdleConnections() }); can {
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
		IdleConnTimeout:        idleTimeout, // of HTTP/2 too
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
		if err == nil || n == maxAttempts || !a.untouched() || r.Context().Err() != nil {
			return answer, err
		}
		s.closeIdle() // those of its age are closed at the other end as well
	}
}

// An attempt to send a request over one connection.
type attempt struct {
	begun   atomic.Bool // HTTP/2 has begun to write the request
	conn    atomic.Pointer[countedConn]
	written atomic.Int64 // what was written to the connection before it was given to this request
	http2   atomic.Bool
}

// request is a copy with a body that can be read once. It is one of no bytes where there is none: a
// request without a body is one that the transport may repeat.
func (a *attempt) request(r *http.Request, body []byte) *http.Request {
	sent := r.Clone(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		GotConn:          a.got,
		WroteHeaderField: func(string, []string) { a.begun.Store(true) },
	}))
	sent.Body = io.NopCloser(bytes.NewReader(body))
	sent.ContentLength = int64(len(body))
	sent.GetBody = nil
	sent.Trailer = nil
	sent.TransferEncoding = nil
	return sent
}

// got learns which connection the request will go over. A kept one that the upstream has closed in
// the meantime is closed here too, before the request is written to it.
func (a *attempt) got(info httptrace.GotConnInfo) {
	raw := info.Conn
	if encrypted, is := raw.(*tls.Conn); is {
		a.http2.Store(encrypted.ConnectionState().NegotiatedProtocol == "h2")
		raw = encrypted.NetConn()
	}
	connection, counted := raw.(*countedConn)
	if fresh := !info.Reused && !info.WasIdle; fresh || !counted {
		a.conn.Store(nil)
		return
	}
	a.written.Store(connection.written.Load())
	a.conn.Store(connection)
	if connection.closedByPeer(a.http2.Load()) {
		_ = connection.Close()
	}
}

// untouched reports whether it is certain that no byte of the request was written to a kept
// connection.
func (a *attempt) untouched() bool {
	connection := a.conn.Load()
	if connection == nil {
		return false
	}
	return connection.written.Load() == a.written.Load() || a.http2.Load() && !a.begun.Load()
}

// countedConn is a connection that counts what is written to it.
type countedConn struct {
	net.Conn
	written atomic.Int64
}

// Write counts what it is about to write, and takes back what was not written. The alert that TLS
// sends when a connection is closed is part of no request.
func (c *countedConn) Write(p []byte) (int, error) {
	if isAlert(p) {
		return c.Conn.Write(p)
	}
	c.written.Add(int64(len(p)))
	n, err := c.Conn.Write(p)
	c.written.Add(int64(n - len(p)))
	return n, err
}

// The header of a TLS record has a type, two bytes of version, and two of the length of what
// follows (RFC 8446 section 5.1). An encrypted alert of TLS 1.3 has the two bytes of the alert,
// their type, and the 16 bytes that all its ciphers add (sections 5.2 and 6).
const (
	recordHeader    = 5
	alertRecord     = 21
	encryptedRecord = 23
	encryptedAlert  = 2 + 1 + 16
)

// isAlert reports whether what is written is a TLS alert: by its type, or, where that is encrypted,
// by its length. No request is so short that one record of that length could hold it.
func isAlert(written []byte) bool {
	return len(written) >= recordHeader && len(written) == recordHeader+recordLength(written) && holdsAlert(written)
}

func recordLength(record []byte) int { return int(binary.BigEndian.Uint16(record[3:])) }

// holdsAlert reports whether one of the TLS records that a text begins with is an alert.
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
