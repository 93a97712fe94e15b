package loopback

import (
	"context"
	"net"
)

// Dial connects as a net.Dialer does. On loopback it closes its connections by a reset: one that is
// closed in the usual way keeps its port for a minute (RFC 9293 section 3.6.1), and a minute of
// many short trials uses more connections than there are ports.
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
