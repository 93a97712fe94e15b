package checks

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// withLook makes a check look at the client first. The check is skipped if the client does not do
// what the check needs. A client that never signs in is reported by one check only.
func withLook(c bench.Check) bench.Check {
	run := c.Run
	otherSignIn := slices.ContainsFunc(c.Abilities, replacesSignIn)
	c.Run = func(ctx context.Context, p *bench.Probe) error {
		look, err := lookAt(ctx, p)
		unjudged := (*unjudgedError)(nil)
		switch {
		case errors.As(err, &unjudged) && otherSignIn:
			look = bench.Look{} // the client may still do the other sign-in
		case unjudged != nil:
			return unjudged.report(p)
		case err != nil:
			return err
		}
		for _, need := range c.Needs {
			if need == bench.Asking && !look.Asks {
				return &check.Skipped{Of: "client/metadata/header-first", Reason: "the client reads no challenge"}
			}
			if !look.Does(need) {
				return &check.NotApplicable{Reason: "needs a client that " + string(need)}
			}
		}
		looked := *p
		looked.Look = look
		return run(ctx, &looked)
	}
	return c
}

// replacesSignIn reports whether a client with the ability signs in without a browser.
func replacesSignIn(ability bench.Ability) bool {
	return ability == bench.Machine || ability == bench.EnterpriseManaged || ability == bench.DeviceCode
}

// lookAt returns the look at the revision of a probe. The error says why no check can judge the
// client at this revision.
func lookAt(ctx context.Context, p *bench.Probe) (bench.Look, error) {
	look := lookOnce(ctx, p, p.Revision, false)
	if look.Lists || look.Calls {
		return look, nil
	}
	if !look.Contacts {
		return look, &unjudgedError{"the client sends no request to the MCP server", look.Err}
	}
	// A client can notice late that it does not speak the revision.
	open := lookOnce(ctx, p, p.Revision, true)
	speaks := open.Lists || open.Calls
	for _, other := range revisions(p) {
		if other == p.Revision {
			continue
		}
		if at := lookOnce(ctx, p, other, true); !speaks && (at.Lists || at.Calls) {
			return look, &check.NotSpoken{Revision: p.Revision}
		}
		if !look.SignsIn && !p.Claimed() && lookOnce(ctx, p, other, false).SignsIn {
			const text = "the client does not sign in with MCP %s; list the revisions that it supports"
			return look, &check.NotApplicable{Reason: fmt.Sprintf(text, p.Revision)}
		}
	}
	if !look.SignsIn {
		return look, &unjudgedError{"although nothing is wrong, the client does not sign in", look.Err}
	}
	return look, nil
}

// unjudgedError says why no check can judge a client.
type unjudgedError struct {
	reason string
	err    error
}

func (e *unjudgedError) Error() string { return fmt.Sprintf("%s: %v", e.reason, e.err) }

// report returns the error of a check. Only the first check with a reason reports it.
func (e *unjudgedError) report(p *bench.Probe) error {
	name := p.Rule.ID
	if p.Rule.EachRevision {
		name += "@" + string(p.Revision)
	}
	if of := p.Looks.Reports(e.reason, p.Rule.ID, name); of != name {
		return &check.Skipped{Of: of, Reason: e.reason}
	}
	return &check.CannotJudge{Reason: e.reason, Err: e.err}
}

// revisions returns the revisions that the client claims, or all.
func revisions(p *bench.Probe) []check.Revision {
	if len(p.Target.Revisions) > 0 {
		return p.Target.Revisions
	}
	return check.Revisions()
}

// lookOnce runs the client in a lab without faults, unless that was done before. If the client does
// not sign in, it gets a client ID, or a lab that accepts its document.
func lookOnce(ctx context.Context, p *bench.Probe, revision check.Revision, open bool) bench.Look {
	return p.Looks.At(revision, open, func() bench.Look {
		script := lab.Script{Revision: revision, Open: open}
		look := lookTwice(ctx, p, script)
		for _, identity := range identities(p) {
			if look.SignsIn || !look.Contacts || open {
				break
			}
			own := *p
			own.Look.Identity = identity
			if other := lookTwice(ctx, &own, script); other.SignsIn {
				other.Identity = identity
				return other
			}
		}
		return look
	})
}

// identities returns how a client can sign in without a registration.
func identities(p *bench.Probe) []bench.Identity {
	var all []bench.Identity
	if slices.Contains(p.Target.Abilities, bench.ClientDocument) {
		all = append(all, bench.Documented)
	}
	if slices.Contains(p.Target.Abilities, bench.Preregistered) {
		all = append(all, bench.Configured)
	}
	return all
}

// lookTwice runs the client in a lab. It repeats a run that failed in less than the time of a run.
func lookTwice(ctx context.Context, p *bench.Probe, script lab.Script) bench.Look {
	look := observe(runClient(ctx, p, script))
	isUnstarted := errors.As(look.Err, new(*bench.NotStarted))
	if look.Connects || look.SignsIn || isUnstarted || errors.Is(look.Err, lab.ErrTimeUp) {
		return look
	}
	return observe(runClient(ctx, p, script))
}

// First looks at a client before any check. It returns an error if the client does not start, or
// sends no request.
func First(ctx context.Context, target *bench.Target) (bench.Look, error) {
	state, err := os.MkdirTemp("", "mcp-auth-conformance-")
	if err != nil {
		return bench.Look{}, err
	}
	defer os.RemoveAll(state)
	p := &bench.Probe{Target: *target, State: state, Looks: &bench.Looks{}}
	p.Rule.ID = "client/flow/completes"
	claimed := revisions(p)
	p.Revision = claimed[len(claimed)-1]
	if slices.Contains(claimed, check.R20251125) {
		p.Revision = check.R20251125
	}
	look := lookOnce(ctx, p, p.Revision, false)
	if errors.As(look.Err, new(*bench.NotStarted)) {
		return look, look.Err
	}
	if !look.Contacts {
		return look, fmt.Errorf("want a request to the MCP server, but the client sends none: %w", look.Err)
	}
	return look, nil
}

// observe returns what the client did in a lab.
func observe(l *lab.Lab) bench.Look {
	look := bench.Look{
		Contacts:  l.Saw(func(r *lab.Request) bool { return r.Party == lab.Server }),
		Asks:      challenged(l),
		Registers: len(l.Registrations(l.Authority())) > 0,
		SignsIn:   len(l.AccessTokens(l.Authority())) > 0,
		Connects:  answered(l, ""),
		Lists:     answered(l, "tools/list"),
		Calls:     l.Called(),
		Err:       ending(l),
	}
	if len(l.Opened()) == 0 {
		return look
	}
	for _, request := range l.Authorizations(l.Authority()) {
		look.Redirect = request.Query.Get("redirect_uri")
	}
	return look
}

// challenged reports whether the MCP server refused a request before the client asked for a token.
func challenged(l *lab.Lab) bool {
	tokenRequests := l.TokenRequests(l.Authority())
	return slices.ContainsFunc(l.Endpoint(), func(r lab.Request) bool {
		isFirst := len(tokenRequests) == 0 || r.At.Before(tokenRequests[0].At)
		return isFirst && r.Status == http.StatusUnauthorized
	})
}

// answered reports whether the MCP server answered a request for a method. Empty means any method.
func answered(l *lab.Lab, method string) bool {
	return slices.ContainsFunc(l.Endpoint(), func(r lab.Request) bool {
		isMethod := r.RPC == method || method == "" && r.RPC != ""
		return isMethod && r.Status == http.StatusOK
	})
}

// completed reports whether the client reached its goal in a lab: the last thing that it does when
// nothing is wrong.
func completed(p *bench.Probe, l *lab.Lab) bool {
	switch {
	case p.Look.Calls || !p.Look.SignsIn: // without a look, the client must call the tool
		return l.Called()
	case p.Look.Lists:
		return answered(l, "tools/list")
	case p.Look.Connects:
		return answered(l, "")
	}
	return len(l.AccessTokens(l.Authority())) > 0
}

// goal names what a client does at the end when nothing is wrong.
func goal(p *bench.Probe) string {
	switch {
	case p.Look.Calls || !p.Look.SignsIn:
		return "a tool call"
	case p.Look.Lists:
		return "a list of tools"
	case p.Look.Connects:
		return "an accepted request"
	}
	return "a token"
}

// wantEnd skips a client that does not end after a failed sign-in. It seems to hang in every lab.
func wantEnd(ctx context.Context, p *bench.Probe) error {
	l := runClient(ctx, p, lab.Script{Challenge: noChallenge, Intercept: nothingElse})
	if errors.Is(l.Err(), lab.ErrTimeUp) {
		return &check.NotApplicable{Reason: "needs a client that ends after a failed sign-in"}
	}
	return nil
}

func noChallenge(*lab.Lab) []string { return []string{"Bearer"} }

// nothingElse answers every request beside the MCP endpoint with 404.
func nothingElse(l *lab.Lab, r *lab.Request, w http.ResponseWriter, _ *http.Request) bool {
	if l.AtEndpoint(r) {
		return false
	}
	w.WriteHeader(http.StatusNotFound)
	return true
}

// maxAttempts bounds the attempts that a program may make with one task.
const maxAttempts = 3

// attempts returns how often the client began the task, at most maxAttempts.
func attempts(l *lab.Lab) int {
	begun := 0
	for _, request := range l.Endpoint() {
		begins := request.RPC == "initialize" || request.RPC == "server/discover"
		if begins && request.Status == http.StatusOK {
			begun++
		}
	}
	return min(max(1, begun), maxAttempts)
}
