package lab

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/internal/evidence"
	"mcpentra/conformance/internal/exchange"
)

// ErrTimeUp means that the client did not end in time, and its run was cancelled.
var ErrTimeUp = errors.New("the client did not end in time")

// Run runs the client in this lab. It returns when the client has ended or its time is up. Err and
// the record say what happened. The changes change the task.
func (l *Lab) Run(ctx context.Context, p *bench.Probe, changes ...func(*bench.Task)) {
	l.recordOnce(ctx)
	task, err := l.task(p)
	if err != nil {
		l.ended(err)
		return
	}
	l.identify(&task, p.Look.Identity)
	for _, change := range changes {
		change(&task)
	}
	if task.ClientID != "" {
		task.ClientIssuer = l.IssuerID(l.Authority())
	}
	timeout := p.Target.Timeout
	if timeout == 0 {
		timeout = RunTimeout
	}
	ctx, cancel := exchange.Within(ctx, timeout)
	defer cancel()
	l.began(ctx)
	err = p.Target.Run(ctx, task)
	if ctx.Err() != nil {
		err = errors.Join(ErrTimeUp, err)
	}
	l.awaitReplies()
	l.ended(err)
}

// recordOnce keeps the requests of all runs in this lab as evidence of the check.
func (l *Lab) recordOnce(ctx context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.recorded {
		l.recorded = true
		evidence.Record(ctx, l.summary)
	}
}

// identify gives a client that does not register itself what it needs to sign in.
func (l *Lab) identify(task *bench.Task, identity bench.Identity) {
	switch identity {
	case bench.Configured:
		task.ClientID = "client-of-" + strings.NewReplacer(":", "-", "/", "-").Replace(l.IssuerID(l.Authority()))
		task.ClientSecret = l.ledger.configure(task.ClientID, l.Authority(), l.AuthMethod())
	case bench.Documented:
		l.mu.Lock()
		defer l.mu.Unlock()
		l.documents = true
	}
}

// task returns the task of a client in this lab.
func (l *Lab) task(p *bench.Probe) (bench.Task, error) {
	task := bench.Task{
		Check:    p.Rule.ID,
		URL:      l.URL(),
		Tool:     bench.ToolName,
		Revision: l.script.Revision,
		Open:     l.open,
		OpenAt:   func() string { return l.server(opener).URL },
		Output:   &output{lab: l},
		State:    p.State,
	}
	if l.script.URL != nil {
		task.URL = l.script.URL(l)
	}
	if !l.script.Public {
		return task, nil
	}
	task.Proxy = l.Origin(Proxy)
	name, err := l.WriteCA(p.State)
	if err != nil {
		return task, fmt.Errorf("the certificate authority cannot be written: %w", err)
	}
	task.CAFile = name
	return task, nil
}

// awaitReplies waits for replies of the redirect URI. A client can end before the lab has read the
// reply.
func (l *Lab) awaitReplies() {
	l.mu.Lock()
	done := l.delivered
	l.mu.Unlock()
	if done == nil {
		return
	}
	select {
	case <-done:
	case <-time.After(replyTimeout):
	}
}

func (l *Lab) began(ctx context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.runErr = ctx.Err
}

// TimeUp reports whether the last run was cancelled because the client did not end in time.
func (l *Lab) TimeUp() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.runErr != nil && errors.Is(l.runErr(), context.DeadlineExceeded)
}

func (l *Lab) ended(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

// Err returns the error of the last run.
func (l *Lab) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// output keeps the beginning of the client's output.
type output struct{ lab *Lab }

func (o *output) Write(text []byte) (int, error) {
	o.lab.mu.Lock()
	defer o.lab.mu.Unlock()
	room := max(0, maxOutput-o.lab.output.Len())
	o.lab.output.Write(text[:min(len(text), room)])
	return len(text), nil
}

// Output returns the client's output, and the error that it ended with.
func (l *Lab) Output() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := l.output.String()
	if l.err != nil {
		text += "\n" + l.err.Error()
	}
	return text
}

// LastOutput returns the last lines of the client's output, without blank lines. They hold
// printable characters only.
func (l *Lab) LastOutput(n int) string {
	var lines []string
	for line := range strings.Lines(l.Printed()) {
		if line = strings.TrimSpace(strings.Map(printable, line)); line != "" {
			lines = append(lines, shorten(line))
		}
	}
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// printable replaces a character that a terminal could interpret.
func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return ' '
}

// Printed returns the client's output without the error that it ended with.
func (l *Lab) Printed() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.output.String()
}
