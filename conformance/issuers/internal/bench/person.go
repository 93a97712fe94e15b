package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/loopback"
)

// A realPerson is the person behind Target.Open. All checks of a run share it.
type realPerson struct {
	mu   sync.Mutex // the person handles one sign-in at a time
	gone error      // why no further page is shown

	redirect func() string // a redirect URI on a free port
	release  func()        // of that port, which stays reserved as long as there is the person
}

func newRealPerson() *realPerson {
	p := &realPerson{}
	p.redirect = sync.OnceValue(func() string {
		port, release, err := loopback.ReservePort()
		if err != nil {
			return LoopbackRedirect
		}
		p.release = release
		return "http://" + net.JoinHostPort("127.0.0.1", port) + "/callback"
	})
	return p
}

// RedirectURI returns the redirect URI that checks register by default. A real browser connects to
// it, so it is on a free port then.
func (p *Probe) RedirectURI() string {
	if p.target.isReal() {
		return p.real.redirect()
	}
	return LoopbackRedirect
}

// signInTimeout returns how long a real person may take for one sign-in.
func (t *Target) signInTimeout() time.Duration {
	if t.SignInTimeout > 0 {
		return t.SignInTimeout
	}
	return personTimeout
}

// isReal reports whether a real person signs in.
func (t *Target) isReal() bool { return t.Person == nil && t.Open != nil }

// openReal shows a page to a real person, and returns the address at which the client is called. No
// person has to see a page with an error, so openReal asks for the page by itself first.
func (p *Probe) openReal(ctx context.Context, address, redirect string) (*url.URL, error) {
	parsed, err := url.Parse(redirect)
	if err != nil || parsed.Scheme != "http" {
		return nil, &check.NotApplicable{Reason: "a real browser can return only to a redirect URI on loopback"}
	}
	landed, isOver, err := p.endsAtOnce(ctx, address, parsed)
	if err != nil || isOver {
		return landed, err
	}
	p.real.mu.Lock()
	defer p.real.mu.Unlock()
	if p.real.gone != nil {
		return nil, &check.CannotJudge{Reason: "an earlier sign-in did not get to its end", Err: p.real.gone}
	}
	ctx, cancel := context.WithTimeout(ctx, p.target.signInTimeout())
	defer cancel()
	landed, err = p.await(ctx, address, parsed)
	if err != nil {
		p.real.gone = err
		return nil, &check.CannotJudge{Reason: "the browser did not get to the end", Err: err}
	}
	return landed, nil
}

// endsAtOnce sends an authorization request without a browser. The request is over if the server
// answers with an error, or sends the browser back to the client.
func (p *Probe) endsAtOnce(ctx context.Context, address string, redirect *url.URL) (*url.URL, bool, error) {
	answer, err := p.Send(ctx, Request{URL: address, Header: http.Header{"Accept": {"text/html"}}})
	if err != nil {
		return nil, false, err
	}
	exchange := Exchange{Answer: *answer}
	if answer.Status >= http.StatusBadRequest && !exchange.HasForm() {
		return nil, true, nil
	}
	target, err := url.Parse(answer.Header.Get("Location"))
	isBack := err == nil && answer.Status/100 == 3 && originOf(target.String()) == originOf(redirect.String())
	if !isBack {
		return nil, false, nil
	}
	return target, true, nil
}

// await shows a page, and waits for the answer at the redirect URI. The browser may still run then.
func (p *Probe) await(ctx context.Context, address string, redirect *url.URL) (*url.URL, error) {
	listener, err := net.Listen("tcp", redirect.Host)
	if err != nil {
		return nil, err
	}
	called := make(chan *url.URL, 1)
	server := &http.Server{
		ReadHeaderTimeout: timeout,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != redirect.Path {
				http.NotFound(w, r)
				return
			}
			_, _ = io.WriteString(w, "The check goes on. You can close this window.\n")
			select {
			case called <- r.URL:
			default:
			}
		}),
	}
	go func() { _ = server.Serve(listener) }()
	defer func() {
		// The browser gets the end of the page first.
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = server.Shutdown(ending)
		_ = server.Close()
	}()
	// A browser that has given its answer keeps its windows. One without an answer is closed.
	opening, closeBrowser := context.WithCancel(context.WithoutCancel(ctx))
	opened := make(chan error, 1)
	go func() {
		opened <- p.target.Open(opening, address)
		closeBrowser()
	}()
	for {
		select {
		case answer := <-called:
			return redirect.ResolveReference(answer), nil
		case err := <-opened:
			opened = nil // the browser has ended, but its answer may still arrive
			if err == nil {
				continue
			}
			select {
			case answer := <-called:
				return redirect.ResolveReference(answer), nil
			default:
				return nil, err
			}
		case <-ctx.Done():
			closeBrowser()
			return nil, fmt.Errorf("no answer came at %s: %w", redirect, ctx.Err())
		}
	}
}

// Unusable means that the target cannot be tested: it gives no answer. The reason is one line, and
// says what to do.
type Unusable struct{ Reason string }

func (e *Unusable) Error() string { return e.Reason }

// firstAnswerTime bounds the first answer of a target, if the target says nothing else.
const firstAnswerTime = 10 * time.Second

// Reach asks for the metadata. The error is an *Unusable if the target gives no answer.
func (t *Target) Reach(ctx context.Context) error {
	issuer, err := url.Parse(t.URL)
	if err != nil || issuer.Host == "" {
		return &Unusable{Reason: fmt.Sprintf("want an issuer identifier, got %q", t.URL)}
	}
	limit := t.FirstAnswer
	if limit == 0 {
		limit = firstAnswerTime
	}
	p := newProbe(*t, check.R20251125)
	if t.HTTPClient == nil {
		defer p.Close()
	}
	p.client.Timeout = 0 // the context bounds the answer
	within, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	path := strings.TrimSuffix(issuer.EscapedPath(), "/")
	address := issuer.Scheme + "://" + issuer.Host + "/.well-known/oauth-authorization-server" + path
	_, err = p.Send(within, Request{URL: address})
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(within.Err(), context.DeadlineExceeded):
		reason := fmt.Sprintf("%s gives no answer within %v; a slow server needs a longer limit", t.URL, limit)
		return &Unusable{Reason: reason}
	}
	var refused *check.CannotJudge
	if errors.As(err, &refused) && refused.Err != nil {
		err = refused.Err
	}
	return &Unusable{Reason: fmt.Sprintf("%s cannot be reached: %s", t.URL, p.shown(err.Error()))}
}
