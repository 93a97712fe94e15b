package server

import (
	"errors"
	"net"
	"sync/atomic"
	"time"

	"mcpentra/server/guard"
)

// NewListener wraps a listener so that each write to one of its connections has a deadline; zero
// means guard.DefaultAnswerTimeout. net/http has no deadline for the flush after a handler returns,
// so a client that never reads would hold the connection forever. http.Server.WriteTimeout would
// also end streams. Here every write gets its own deadline.
func NewListener(listener net.Listener, answerTimeout time.Duration) net.Listener {
	if answerTimeout <= 0 {
		answerTimeout = guard.DefaultAnswerTimeout
	}
	return &readListener{Listener: listener, timeout: answerTimeout}
}

type readListener struct {
	net.Listener
	timeout time.Duration
}

func (l *readListener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &readConn{Conn: accepted, timeout: l.timeout}, nil
}

// readConn is a connection that ends if its peer does not read.
type readConn struct {
	net.Conn
	timeout time.Duration
	until   atomic.Int64 // deadline set by Write, in Unix nanoseconds; 0 if a caller has set one
}

// Write has at least half of the timeout, because it renews a deadline only when half has passed.
func (c *readConn) Write(p []byte) (int, error) {
	now := time.Now()
	if c.until.Load()-now.UnixNano() < int64(c.timeout/2) {
		until := now.Add(c.timeout)
		if err := c.Conn.SetWriteDeadline(until); err != nil {
			return 0, err
		}
		c.until.Store(until.UnixNano())
	}
	return c.Conn.Write(p)
}

func (c *readConn) SetWriteDeadline(at time.Time) error {
	c.until.Store(0)
	return c.Conn.SetWriteDeadline(at)
}

func (c *readConn) SetDeadline(at time.Time) error {
	c.until.Store(0)
	return c.Conn.SetDeadline(at)
}

// CloseWrite shuts down the writing side of the connection, if it can, and keeps reading. net/http
// calls it so that a client that is still sending can read the refusal.
func (c *readConn) CloseWrite() error {
	if writer, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return writer.CloseWrite()
	}
	return errors.ErrUnsupported
}
