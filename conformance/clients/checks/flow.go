package checks

import (
	"context"
	"fmt"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// flowChecks are checks of client/flow.
func flowChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:           "client/flow/completes",
				Level:        check.Must,
				EachRevision: true,
				Reference:    "MCP authorization, Authorization Flow",
				Sentence:     "When nothing is wrong, a client signs in after a 401, lists the tools and calls one.",
				Covers:       []string{"client-401-starts-flow"},
			},
			Run: judge(lab.Script{}, wantSignIn),
		},
		{
			Rule: check.Rule{
				ID:        "client/flow/mixed-up",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 9700 section 4.4; MCP 2026-07-28 authorization, Authorization Response Validation",
				Sentence:  "With two sign-ins at once, each code goes to the authorization server that issued it.",
				Covers:    []string{"client-code-to-same-issuer", "client-iss-recorded", "CL-012"},
			},
			Abilities: []bench.Ability{bench.KeepsState},
			Run:       flowMixedUp,
		},
	}
}

// wantSignIn wants a token request or an authorization request.
func wantSignIn(l *lab.Lab) error {
	if !authorized(l) && len(l.TokenRequests(l.Authority())) == 0 {
		return l.Mismatch("a sign-in after the 401", "none")
	}
	return nil
}

// flowMixedUp tries client/flow/mixed-up. It answers no authorization request before both sign-ins
// have started.
func flowMixedUp(ctx context.Context, p *bench.Probe) error {
	if err := wantControl(ctx, p, lab.Script{}); err != nil {
		return err
	}
	started := make(chan struct{}, 2)
	both := make(chan struct{})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer close(both)
		for range 2 {
			select {
			case <-started:
			case <-ctx.Done():
				return
			}
		}
	}()
	waitForBoth := func(_ *lab.Lab, a *lab.Authorization) []lab.Answer {
		select {
		case started <- struct{}{}:
		default:
		}
		select {
		case <-both:
		case <-ctx.Done():
		}
		return []lab.Answer{a.Right()}
	}
	script := lab.Script{Revision: p.Revision, Answers: waitForBoth}
	labs := []*lab.Lab{lab.New(script), lab.New(script)}
	ended := make(chan struct{})
	for _, l := range labs {
		defer l.Close()
		go func() { l.Run(ctx, p); ended <- struct{}{} }()
	}
	<-ended
	select {
	case <-both: // Let the other run finish, too: it may be the one that sends the wrong code.
	default:
		// A client that signs in twice in sequence never has two sign-ins at once. Let the second
		// run continue.
		cancel()
	}
	<-ended
	for i, l := range labs {
		foreign := l.Find(func(r *lab.Request) bool {
			return strings.HasPrefix(r.Form.Get("code"), "code-") && r.Status >= 400
		})
		if len(foreign) > 0 {
			return l.Insecure(
				"each code at the authorization server that issued it",
				fmt.Sprintf("a code of server %d at server %d", 2-i, 1+i),
			)
		}
	}
	return nil
}
