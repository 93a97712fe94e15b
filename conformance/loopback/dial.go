package loopback

import (
	"context"
	"net"
)

// Dial connects like a net.Dialer. On loopback it resets connections when they are closed. A normal
// close would block the port for a minute (RFC 9293 section 3.6.1), and a run of many short checks
// opens more connections in a minute than there are ports.
func Dial(ctx context.Context, network, address string) (net.Conn, error) {
	connection, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if tcp, ok := connection.(*net.TCPConn); ok && tcp.RemoteAddr().(*net.TCPAddr).IP.IsLoopback() {
		if err := tcp.SetLinger(0); err != nil {
			_ = connection.Close()
			return nil, err
		}
	}
	return connection, nil
}
