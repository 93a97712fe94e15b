package server

import (
	"errors"
	"net"
	"sync/atomic"
	"time"

	"mcpentra/server/guard"
)

// NewListener wraps a listener so that what is written to one of its connections has to be taken
// within a time; zero means guard.DefaultAnswerTimeout. Without it net/http waits for ever for a
// caller who sends requests and reads no answers: what it sends after a handler has returned is
// nobody's, and http.Server.WriteTimeout would end streams as well. Writes have the time to
// themselves, so a stream may last.
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

// readConn is a connection that has to be read from.
type readConn struct {
	net.Conn
	timeout time.Duration
	until   atomic.Int64 // the deadline that Write has set, in nanoseconds of Unix time; 0 where somebody else has set one
}

// Write has at least half of the time, since a deadline that is far enough away stays.
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

// CloseWrite ends what is sent and goes on receiving, if the connection can. It is how net/http
// sees to it that a caller who is still sending reads why he was refused.
func (c *readConn) CloseWrite() error {
	if half, can := c.Conn.(interface{ CloseWrite() error }); can {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
