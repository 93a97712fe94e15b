package attack

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/exchange"
	"mcpentra/conformance/servers/internal/bench"
)

// The long answers together exceed the buffers between two programs, and so do the short ones. A
// short answer is sent when its handler returns.
const (
	longAnswers  = 64
	longAnswer   = 256 << 10 // bytes
	shortAnswers = 20_000
	shortAnswer  = 1500 // bytes
	// The buffers of our side are small. A large one for writing would hide for half a minute that
	// a slow server still reads requests.
	readBuffer  = 4 << 10  // bytes
	writeBuffer = 16 << 10 // bytes
	// fillBuffers bounds the time in which the server fills the buffers. That takes some thousand
	// short answers, and a busy machine needs minutes for them.
	fillBuffers = 150 * time.Second
	// pause is longer than a server rests between two answers on a busy machine.
	pause = 2 * time.Second
	// maxStalls is the number of periods without progress that show a server that waits. In one
	// period, a busy machine may have let neither program run.
	maxStalls = 2
)

// SlowReadingTime bounds SlowReading: it fills the buffers twice.
const SlowReadingTime = 2*fillBuffers + time.Minute

// SlowReading sends many requests on one connection, and reads one byte of their answers. Short
// answers are sent when their handler returns. A handler waits while it writes a long answer; these
// need a canary.
func SlowReading(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	wire := func(request bench.Request) []byte {
		return p.Wire(request, "Authorization: Bearer "+trial.Token, "Connection: keep-alive")
	}
	ping := trial.Session.Message("ping", nil)
	// the answer repeats the ID
	ping.Body = []byte(`{"jsonrpc":"2.0","id":"` + strings.Repeat("x", shortAnswer) + `","method":"ping"}`)
	short := wire(ping)
	nextShort := func() []byte { return short }
	if err := leaveUnread(ctx, p, trial, "short answers", shortAnswers, nextShort); err != nil {
		return err
	}
	if !trial.HasCanary() {
		return nil
	}
	nextLong := func() []byte { return wire(trial.LongRequest(longAnswer)) }
	return leaveUnread(ctx, p, trial, "long answers", longAnswers, nextLong)
}

// leaveUnread writes requests, and wants the server to give up the connection meanwhile.
func leaveUnread(
	ctx context.Context, p *bench.Probe, trial *bench.Trial, name string, count int, next func() []byte,
) error {
	connection, err := p.Dial(ctx)
	if err != nil {
		return err
	}
	defer connection.Close()
	stop := context.AfterFunc(ctx, func() { _ = connection.Close() })
	defer stop()
	underlying := connection
	if secured, ok := connection.(*tls.Conn); ok {
		underlying = secured.NetConn()
	}
	if tcp, ok := underlying.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(readBuffer)
		_ = tcp.SetWriteBuffer(writeBuffer)
	}
	// A server whose answers are not read stops reading requests. When it closes the connection,
	// the pending write fails.
	var sent atomic.Int64
	written := make(chan error, 1)
	go func() { written <- writeAll(connection, count, next, &sent) }()
	var answer [1]byte
	if _, err := connection.Read(answer[:]); err != nil {
		return &check.CannotJudge{Reason: "the server answers none of several requests on one connection", Err: err}
	}
	if err := StillServes(ctx, p, trial); err != nil {
		return err
	}
	seen := standstill{sent: sent.Load()}
	filling, cancel := exchange.Within(ctx, fillBuffers)
	defer cancel()
	for {
		period, endPeriod := exchange.Within(filling, p.Patience()+pause)
		select {
		case err := <-written:
			endPeriod()
			if err == nil {
				return &check.NotApplicable{Reason: "its answers fit into the buffers of the connection: " + name}
			}
			return StillServes(ctx, p, trial)
		case <-period.Done():
			endPeriod()
		}
		switch {
		case filling.Err() != nil:
			return &check.CannotJudge{Reason: "the server still reads requests, but its answers are not read"}
		case seen.isCertain(sent.Load()):
			return p.Mismatch(
				"the end of the connection whose answers are not read: "+name,
				fmt.Sprintf("a server that still waits %v later", maxStalls*p.Patience()),
			)
		}
	}
}

// A standstill counts the periods in a row in which nothing was sent.
type standstill struct {
	sent    int64 // at the end of the last period
	periods int
}

// isCertain ends a period. It reports whether the server has stopped.
func (s *standstill) isCertain(sent int64) bool {
	s.periods++
	if sent != s.sent {
		s.periods = 0
	}
	s.sent = sent
	return s.periods >= maxStalls
}

// writeAll counts the requests that it has sent.
func writeAll(connection net.Conn, count int, next func() []byte, sent *atomic.Int64) error {
	for range count {
		if _, err := connection.Write(next()); err != nil {
			return err
		}
		sent.Add(1)
	}
	return nil
}
