package checks

import (
	"context"
	"fmt"
	"net"
	"time"

	"mcpentra/conformance/engine"
)

// Requests and answers that are more than the buffers between two programs hold.
const (
	longAnswers  = 64
	longAnswer   = 256 << 10
	littleBuffer = 4 << 10
)

// slowReading sends many requests on one connection, and reads one byte of their answers.
func slowReading(ctx context.Context, p *engine.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	connection, err := p.Dial(ctx)
	if err != nil {
		return err
	}
	defer connection.Close()
	stop := context.AfterFunc(ctx, func() { _ = connection.Close() })
	defer stop()
	if tcp, ok := connection.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(littleBuffer)
	}
	requests := make([]engine.Request, longAnswers)
	for i := range requests {
		requests[i] = trial.Long(longAnswer)
	}
	// A server that is not read from does not read either. When it gives up, what is still to be written to it is lost.
	given := make(chan error, 1)
	go func() {
		for _, request := range requests {
			if _, err := connection.Write(p.Wire(request, "Authorization: Bearer "+trial.Token, "Connection: keep-alive")); err != nil {
				given <- err
				return
			}
		}
	}()
	var answer [1]byte
	if _, err := connection.Read(answer[:]); err != nil {
		return &engine.CannotJudge{Reason: "the server answers none of several requests on one connection", Err: err}
	}
	if err := afterwards(ctx, p, trial); err != nil {
		return err
	}
	select {
	case <-given:
		return afterwards(ctx, p, trial)
	case <-time.After(p.Patience()):
	}
	if trial.Ran(requests[longAnswers-1]) {
		return &engine.NotApplicable{Reason: "its answers are short enough to be on their way unread"}
	}
	return p.Mismatch("the end of an answer that is not read", fmt.Sprintf("one that waits to be read %v later", p.Patience()))
}
