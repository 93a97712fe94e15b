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
				Sentence: "Where everything is in order a client that is refused signs in, lists the tools and " +
					"calls one.",
				Covers: []string{"client-401-starts-flow"},
			},
			Run: judge(lab.Script{}, func(l *lab.Lab) error {
				if !authorized(l) && len(l.TokenRequests(l.Authority())) == 0 {
					return l.Mismatch("a sign-in after the 401", "none")
				}
				return nil
			}),
		},
		{
			Rule: check.Rule{
				ID:        "client/flow/mixed-up",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 9700 section 4.4; MCP 2026-07-28 authorization, Authorization Response Validation",
				Sentence: "With two sign-ins under way at once each code goes to the authorization server that it " +
					"came from.",
				Covers: []string{"client-code-to-same-issuer", "client-iss-recorded", "CL-012"},
			},
			Abilities: []bench.Ability{bench.KeepsState},
			Run:       mixedUp,
		},
	}
}

// mixedUp has two sign-ins under way at once: neither is answered before both have begun.
func mixedUp(ctx context.Context, p *bench.Probe) error {
	if _, err := control(ctx, p, lab.Script{}); err != nil {
		return err
	}
	begun := make(chan struct{}, 2)
	both := make(chan struct{})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer close(both)
		for range 2 {
			select {
			case <-begun:
			case <-ctx.Done():
				return
			}
		}
	}()
	script := lab.Script{
		Revision: p.Revision,
		Answers: func(_ *lab.Lab, a *lab.Authorization) []lab.Answer {
			select {
			case begun <- struct{}{}:
			default:
			}
			select {
			case <-both:
			case <-ctx.Done():
			}
			return []lab.Answer{a.Right()}
		},
	}
	labs := []*lab.Lab{lab.New(script), lab.New(script)}
	ended := make(chan struct{})
	for _, l := range labs {
		defer l.Close()
		go func() { l.Run(ctx, p); ended <- struct{}{} }()
	}
	<-ended
	select {
	case <-both: // The other one gets to its end as well: it may be the one that goes astray.
	default:
		// A client that signs in one after the other never has two under way: the first to end lets
		// the other go on.
		cancel()
	}
	<-ended
	for i, l := range labs {
		foreign := l.Find(func(r *lab.Request) bool {
			return strings.HasPrefix(r.Form.Get("code"), "code-") &&
				r.Status >= 400
		})
		if len(foreign) > 0 {
			return l.Insecure(
				"the codes of each authorization server to come back to it",
				fmt.Sprintf("a code of server %d came to server %d", 2-i, 1+i),
			)
		}
	}
	return nil
}
