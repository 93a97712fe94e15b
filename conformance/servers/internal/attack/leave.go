package attack

import (
	"context"
	"io"
	"time"

	"mcpentra/conformance/servers/internal/bench"
)

// A caller that leaves early withholds the last bytes of its request. It then waits for the end of
// the connection, so that the server has noticed. A server may also answer.
const (
	withheld = 5 // bytes
	noticed  = 10 * time.Second
	maxReply = 64 << 10 // bytes
)

// LeaveEarly sends all but the last bytes of a request, and ends its side of the connection. An
// error means that there was no connection.
func LeaveEarly(ctx context.Context, p *bench.Probe, request []byte) error {
	connection, err := p.Dial(ctx)
	if err != nil {
		return err
	}
	defer connection.Close()
	stop := context.AfterFunc(ctx, func() { _ = connection.Close() })
	defer stop()
	_ = connection.SetDeadline(time.Now().Add(noticed))
	_, _ = connection.Write(request[:max(0, len(request)-withheld)])
	half, ok := connection.(interface{ CloseWrite() error })
	if !ok {
		return nil
	}
	_ = half.CloseWrite()
	_, _ = io.Copy(io.Discard, io.LimitReader(connection, maxReply))
	return nil
}
