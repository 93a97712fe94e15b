package proxy

import (
	"io"
	"log"
	"net"
	"net/http"
	"sync"
)

var silent = log.New(io.Discard, "", 0)

// A oneConnection is a listener with one connection. It ends when the connection does.
type oneConnection struct {
	connection net.Conn
	accepted   bool // only Accept uses it, which is never called twice at once
	closed     chan struct{}
	once       sync.Once
}

func newOneConnection(connection net.Conn) *oneConnection {
	return &oneConnection{connection: connection, closed: make(chan struct{})}
}

// Accept returns the connection, and then waits for its end.
func (l *oneConnection) Accept() (net.Conn, error) {
	if !l.accepted {
		l.accepted = true
		return l.connection, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

// follow ends the listener with its connection.
func (l *oneConnection) follow(_ net.Conn, state http.ConnState) {
	if state == http.StateClosed || state == http.StateHijacked {
		_ = l.Close()
	}
}

// Close ends the listener.
func (l *oneConnection) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr returns the address of the connection.
func (l *oneConnection) Addr() net.Addr { return l.connection.LocalAddr() }
