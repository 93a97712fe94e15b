package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"mcpentra/client"
	"mcpentra/client/internal/console"
)

// maxFinish bounds how long the program waits at its end for the answer to a token request.
const maxFinish = 5 * time.Second

// connected connects to the server, signs in if necessary, and does one thing in the session.
func connected(ctx context.Context, flags *flagValues, do func(context.Context, *console.Session) error) error {
	set, err := flags.settings()
	if err != nil {
		return err
	}
	config, closeAll, err := set.config()
	if err != nil {
		return err
	}
	defer closeAll()
	out := io.Writer(os.Stderr)
	if flags.quiet {
		out = io.Discard
	}
	trace := &tracer{set: set, steps: console.NewSteps(out, flags.noBrowser)}
	config.Trace = trace.event
	if flags.typed != config.Server {
		read := fmt.Sprintf("%s is read as %s", flags.typed, config.Server)
		fmt.Fprintln(out, console.Printable(read))
	}
	session, end, err := connectAnywhere(ctx, out, config, console.Options{
		Revision:    flags.revision,
		Version:     version(),
		Extensions:  set.extensions,
		Elicitation: flags.elicitation,
	})
	if err != nil {
		return trace.interruption(ctx, err)
	}
	defer end()
	trace.steps.Connected(session)
	err = do(ctx, session)
	var written *console.CommandError
	if err != nil && ctx.Err() != nil && !errors.As(err, &written) {
		return errors.New("interrupted")
	}
	return err
}

// connectAnywhere connects to the server. If the person named the origin alone, and the origin
// names its endpoint, it connects to that.
func connectAnywhere(
	ctx context.Context, out io.Writer, config client.Config, options console.Options,
) (*console.Session, func(), error) {
	session, end, err := connect(ctx, config, options)
	var elsewhere *addressError
	if !errors.As(err, &elsewhere) || !isOrigin(config.Server) || !sameHost(config.Server, elsewhere.endpoint) {
		return session, end, err
	}
	fmt.Fprintln(out, console.Printable(elsewhere.text)+"; the program tries that address now")
	config.Server = elsewhere.endpoint
	return connect(ctx, config, options)
}

// connect connects to the server, and explains why it cannot. The function ends the connection; it
// is nil with an error.
func connect(ctx context.Context, config client.Config, options console.Options) (*console.Session, func(), error) {
	under, err := client.New(config)
	if err != nil {
		return nil, nil, explainURL(config.Server, err)
	}
	session, err := console.Connect(ctx, config.Server, under, options)
	if err != nil {
		finish(under)
		return nil, nil, explain(ctx, config, err)
	}
	end := func() {
		session.Close()
		finish(under)
	}
	return session, end, nil
}

// finish waits for the answer to a token request, so that Ctrl-C does not cost the person a
// sign-in.
func finish(under *client.Transport) {
	ctx, cancel := context.WithTimeout(context.Background(), maxFinish)
	defer cancel()
	_ = under.Finish(ctx) // a later answer is lost
}

// A tracer shows the events of a sign-in to the person.
type tracer struct {
	set       *settings
	steps     *console.Steps
	signingIn atomic.Bool
}

// event is the Trace of the client's Config.
func (t *tracer) event(event client.Event) {
	if t.set.quiet && t.needsPerson(event) {
		console.TellPerson(os.Stderr, event)
	}
	t.steps.Trace(event)
	switch event := event.(type) {
	case client.Challenged:
		t.signingIn.Store(true)
	case client.Issued:
		t.signingIn.Store(false)
		if !event.Refreshed && t.set.kept != "" {
			t.steps.Step(t.set.kept)
		}
	}
}

// needsPerson reports whether the person has to act, because the program opens no browser.
func (t *tracer) needsPerson(event client.Event) bool {
	_, failed := event.(client.BrowserFailed)
	return failed || t.set.noBrowser || t.set.paste || t.set.deviceCode
}

// interruption replaces the error of an interrupted connection. Ctrl-C during a sign-in is a
// *SignInError.
func (t *tracer) interruption(ctx context.Context, err error) error {
	switch {
	case ctx.Err() == nil:
		return err
	case t.signingIn.Load():
		return &client.SignInError{Err: errors.New("interrupted before it was finished")}
	}
	return errors.New("interrupted")
}
