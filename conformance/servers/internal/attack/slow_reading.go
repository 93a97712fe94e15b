package attack

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/bench"
)

// Requests and answers that are more than the buffers between two programs hold.
const (
	longAnswers  = 64
	longAnswer   = 256 << 10
	littleBuffer = 4 << 10
)

// The same of short ones, each of which is sent when its handler is done, and how long a server may
// take to answer so many that the buffers are full.
const (
	shortAnswers = 20_000
	shortAnswer  = 1500
	untilFull    = 10 * time.Second
)

// SlowReading sends many requests on one connection, and reads one byte of their answers: long
// answers, which a handler waits to write, where there is a tool that gives them, and short ones,
// which are sent when their handler is done.
func SlowReading(ctx context.Context, p *bench.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	wire := func(request bench.Request) []byte {
		return p.Wire(request, "Authorization: Bearer "+trial.Token, "Connection: keep-alive")
	}
	ping := trial.Session.Message("ping", nil)
	// the answer repeats the ID
	ping.Body = []byte(`{"jsonrpc":"2.0","id":"` + strings.Repeat("x", shortAnswer) + `","method":"ping"}`)
	short := wire(ping)
	if err := unread(ctx, p, trial, "short answers", func(i int) []byte {
		if i < shortAnswers {
			return short
		}
		return nil
	}); err != nil {
		return err
	}
	if !trial.Counted() {
		return nil
	}
	return unread(ctx, p, trial, "long answers", func(i int) []byte {
		if i < longAnswers {
			return wire(trial.Long(longAnswer))
		}
		return nil
	})
}

// unread writes requests until there are no more, and wants the connection given up meanwhile.
func unread(ctx context.Context, p *bench.Probe, trial *bench.Trial, name string, request func(i int) []byte) error {
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
	// A server that is not read from does not read either. When it gives up, what is still to be
	// written to it is lost.
	written := make(chan error, 1)
	go func() {
		for i := 0; ; i++ {
			text := request(i)
			if text == nil {
				written <- nil
				return
			}
			if _, err := connection.Write(text); err != nil {
				written <- err
				return
			}
		}
	}()
	var answer [1]byte
	if _, err := connection.Read(answer[:]); err != nil {
		return &check.CannotJudge{Reason: "the server answers none of several requests on one connection", Err: err}
	}
	if err := Afterwards(ctx, p, trial); err != nil {
		return err
	}
	select {
	case err := <-written:
		if err == nil {
			return &check.NotApplicable{Reason: "its answers are short enough to be on their way unread: " + name}
		}
		return Afterwards(ctx, p, trial)
	case <-time.After(untilFull + p.Patience()):
	}
	return p.Mismatch(
		"the end of an answer that is not read: "+name,
		fmt.Sprintf("one that waits to be read %v later", p.Patience()),
	)
}
