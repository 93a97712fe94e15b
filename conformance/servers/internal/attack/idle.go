package attack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/bench"
)

// How many connections stay idle, and how many good requests the server gets meanwhile.
const (
	idleConnections = 5000
	goodRequests    = 10
	// spareFiles is how many connections are closed again if this machine opens no more. The good
	// requests need some.
	spareFiles = 200
)

// IdleConnections opens connections that send nothing, and sends good requests meanwhile, each on a
// new connection.
func IdleConnections(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	var open []net.Conn
	defer func() { closeAll(open) }()
	for len(open) < idleConnections {
		connection, err := p.Dial(ctx)
		if err == nil {
			open = append(open, connection)
			continue
		}
		if ctx.Err() != nil {
			return err
		}
		if isOwnLimit(err) {
			spare := max(0, len(open)-spareFiles)
			closeAll(open[spare:])
			open = open[:spare]
		}
		break // a server may refuse more connections
	}
	if len(open) == 0 {
		return &check.CannotJudge{Reason: "this machine opens too few connections for the check"}
	}
	for range goodRequests {
		fresh, closeIt := p.WithOwnConnections()
		err := wantServed(ctx, fresh, trial, fmt.Sprintf("while %d connections are idle", len(open)))
		closeIt()
		if err != nil {
			return err
		}
	}
	return nil
}

// isOwnLimit reports whether the machine of the check can open no more connections.
func isOwnLimit(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.EADDRNOTAVAIL)
}

func closeAll(connections []net.Conn) {
	for _, connection := range connections {
		_ = connection.Close()
	}
}
