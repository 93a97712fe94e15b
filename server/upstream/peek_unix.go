//go:build darwin || freebsd || linux || netbsd || openbsd

package upstream

import (
	"errors"
	"syscall"
)

// closedByPeer reports, without waiting, whether the other end has closed an idle connection. Over
// HTTP/1.1 any bytes that wait to be read mean that: they are the end of TLS, or an answer to no
// request. Over HTTP/2 they may be frames.
func (c *countedConn) closedByPeer(http2 bool) bool {
	connection, ok := c.Conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := connection.SyscallConn()
	if err != nil {
		return false
	}
	closed := false
	err = raw.Control(func(fd uintptr) {
		var waiting [1024]byte
		n, _, err := syscall.Recvfrom(int(fd), waiting[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		switch {
		case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EWOULDBLOCK), errors.Is(err, syscall.EINTR):
		case err != nil || n == 0:
			closed = true
		default:
			closed = !http2 || holdsAlert(waiting[:n])
		}
	})
	return closed || err != nil
}
