package checks

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// stepUpChecks are checks of client/step-up: a token that is not enough (MCP 2025-11-25
// authorization, Step-Up Authorization Flow), and servers that are never content.
func stepUpChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/step-up/attempted",
				Level:     check.Should,
				Revisions: since20251125,
				Reference: "MCP 2025-11-25 authorization, Step-Up Authorization Flow",
				Sentence: "A client that is refused for its scopes asks the person for those that the " +
					"challenge names.",
				Covers: []string{"client-stepup-attempted"},
			},
			Run: afterControl(
				lab.Script{Scope: "tools.read tools.call", ToolScopes: []string{"tools.call"}},
				lab.Script{Scope: "tools.read", ToolScopes: []string{"tools.call"}},
				func(l *lab.Lab) error {
					made := l.Authorizations(l.Authority())
					if len(made) < 2 ||
						!slices.Contains(strings.Fields(made[len(made)-1].Query.Get("scope")), "tools.call") {
						return l.Mismatch(
							"a second authorization request, with the scope of the challenge",
							fmt.Sprintf("%d authorization requests", len(made)),
						)
					}
					return nil
				},
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/step-up/union",
				Level:     check.Should,
				Revisions: since20260728,
				Reference: "MCP 2026-07-28 authorization, Step-Up Authorization Flow",
				Sentence:  "A step up asks for the scopes of before as well.",
				Covers:    []string{"client-stepup-union"},
			},
			Run: afterControl(
				lab.Script{Scope: "tools.read tools.call", ToolScopes: []string{"tools.call"}},
				lab.Script{Scope: "tools.read", ToolScopes: []string{"tools.call"}},
				func(l *lab.Lab) error {
					made := l.Authorizations(l.Authority())
					if len(made) < 2 {
						return &check.NotApplicable{Reason: "the client does not step up"}
					}
					if scope := made[1].Query.Get("scope"); !slices.Contains(strings.Fields(scope), "tools.read") {
						return l.Mismatch("the scope tools.read again", fmt.Sprintf("%q", scope))
					}
					return nil
				},
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/step-up/registered",
				Level:     check.Should,
				Revisions: since20251125,
				Reference: "RFC 7591 section 2; " + "MCP 2025-11-25 authorization, Step-Up Authorization Flow",
				Sentence: "A registration that names scopes names all that the client asks for with it, so " +
					"that it does " +
					"not stand in the way of a step up.",
			},
			Run: afterControl(
				lab.Script{Scope: "tools.read tools.call", ToolScopes: []string{"tools.call"}},
				lab.Script{Scope: "tools.read", ToolScopes: []string{"tools.call"}},
				func(l *lab.Lab) error {
					if len(l.Registrations(l.Authority())) == 0 || len(l.Authorizations(l.Authority())) < 2 {
						return &check.NotApplicable{Reason: "the client does not register, or does not step up"}
					}
					if beyond := beyondRegistration(l); beyond != "" {
						return l.Mismatch(
							"scopes that the client registered with, or no scopes at registration",
							beyond,
						)
					}
					return nil
				},
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/step-up/repeats",
				Level:     check.Should,
				Revisions: since20251125,
				Reference: "MCP 2025-11-25 authorization, Step-Up Authorization Flow",
				Sentence:  "After a step up the request is sent again with the new token.",
				Covers:    []string{"client-stepup-retries-request"},
			},
			Run: afterControl(
				lab.Script{Scope: "tools.read tools.call", ToolScopes: []string{"tools.call"}},
				lab.Script{Scope: "tools.read", ToolScopes: []string{"tools.call"}},
				func(l *lab.Lab) error {
					if len(l.AccessTokens(l.Authority())) < 2 {
						return &check.NotApplicable{Reason: "the client does not step up"}
					}
					if !l.Called() {
						return l.Mismatch("the call again with the new token", fmt.Sprintf("none: %v", ending(l)))
					}
					return nil
				},
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/step-up/limit",
				Level:     check.Should,
				Severity:  check.High,
				Revisions: since20251125,
				Reference: "MCP 2025-11-25 authorization, Step-Up Authorization Flow",
				Sentence:  "A server that demands ever more scopes is given up on after a few tries.",
				Covers:    []string{"client-stepup-retry-limit", "CL-024"},
			},
			Run: noHarm(
				lab.Script{Scope: "tools.read tools.call", ToolScopes: []string{"tools.call"}},
				gotToken,
				func(l *lab.Lab) string {
					if n := len(l.Authorizations(l.Authority())); n > 1+few {
						return fmt.Sprintf("%d authorization requests", n)
					}
					return ""
				},
				variant{
					"another scope each time",
					lab.Script{StepUp: func(n int) []string { return []string{fmt.Sprintf("more.%d", n)} }},
				},
				variant{"the same scope each time", lab.Script{StepUp: func(int) []string { return []string{"more"} }}},
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/step-up/tracked",
				Level:     check.Should,
				Severity:  check.Medium,
				Revisions: since20251125,
				Reference: "MCP 2025-11-25 authorization, Step-Up Authorization Flow",
				Sentence:  "What was tried in vain for one call of a tool is not tried all over again for the next.",
				Covers:    []string{"client-stepup-tracks-attempts", "CL-024"},
			},
			Abilities: []bench.Ability{bench.SeveralCalls},
			Run:       stepUpTracked,
		},
		{
			Rule: check.Rule{
				ID:        "client/step-up/flood",
				Level:     check.Policy,
				Severity:  check.High,
				Revisions: since20251125,
				Reference: "MCP 2025-11-25 authorization, Step-Up Authorization Flow",
				Sentence:  "Nobody is asked to approve thousands of scopes.",
				Covers:    []string{"CL-025"},
			},
			Run: noHarm(
				lab.Script{Scope: "tools.read tools.call", ToolScopes: []string{"tools.call"}},
				gotToken,
				func(l *lab.Lab) string {
					for _, one := range l.Authorizations(l.Authority()) {
						if n := len(strings.Fields(one.Query.Get("scope"))); n > 1000 {
							return fmt.Sprintf("an authorization request with %d scopes", n)
						}
					}
					return ""
				},
				variant{
					"a challenge with 2,000 scopes",
					lab.Script{StepUp: func(int) []string { return manyScopes(2000) }},
				},
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/step-up/declined",
				Level:     check.Policy,
				Severity:  check.Medium,
				Revisions: since20251125,
				Reference: "MCP 2025-11-25 authorization, Step-Up Authorization Flow; RFC 6749 section 4.1.2.1",
				Sentence:  "A person who declined more scopes is not asked for the same scopes again by the next call.",
			},
			Abilities: []bench.Ability{bench.SeveralCalls},
			Run:       declinedStepUp,
		},
	}
}

// stepUpTracked tries client/step-up/tracked.
func stepUpTracked(ctx context.Context, p *bench.Probe) error {
	const calls = 4
	several := func(task *bench.Task) { task.Calls = calls }
	l, err := control(ctx, p, lab.Script{Scope: "tools.read tools.call", ToolScopes: []string{"tools.call"}}, several)
	if err != nil {
		return err
	}
	if l.Calls() != calls {
		return &check.CannotJudge{
			Reason: fmt.Sprintf(
				"the control failed: the client calls the tool %d times instead of %d",
				l.Calls(),
				calls,
			),
			Err: ending(l),
		}
	}
	l = try(ctx, p, lab.Script{StepUp: func(n int) []string { return []string{fmt.Sprintf("more.%d", n)} }}, several)
	if n := len(l.Authorizations(l.Authority())); n > 1+few {
		return l.Mismatch(
			fmt.Sprintf("at most %d authorization requests for %d calls of one tool", 1+few, calls),
			fmt.Sprint(n),
		)
	}
	return nil
}

// beyondRegistration is a scope that a client asks for and did not name when it last registered, or
// "".
func beyondRegistration(l *lab.Lab) string {
	registrations := append(l.Registrations(lab.Issuer), l.Registrations(lab.Server)...)
	for _, page := range l.Authorizations(l.Authority()) {
		named := ""
		for _, one := range registrations {
			if one.At.Before(page.At) {
				named, _ = one.JSON["scope"].(string)
			}
		}
		for scope := range strings.FieldsSeq(page.Query.Get("scope")) {
			if named != "" && !slices.Contains(strings.Fields(named), scope) {
				return fmt.Sprintf("%s, where the registration says %q", scope, named)
			}
		}
	}
	return ""
}

func manyScopes(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("s%d", i)
	}
	return all
}

// afterControl judges what a client does in one lab after it has got to its end in another.
func afterControl(good, script lab.Script, judge func(l *lab.Lab) error) runClient {
	return func(ctx context.Context, p *bench.Probe) error {
		if _, err := control(ctx, p, good); err != nil {
			return err
		}
		return judge(try(ctx, p, script))
	}
}

// declinedStepUp has the person decline what a step up asks for, and the client call the tool
// again.
func declinedStepUp(ctx context.Context, p *bench.Probe) error {
	several := func(task *bench.Task) { task.Calls = 3 }
	granted := lab.Script{Scope: "tools.read tools.call", ToolScopes: []string{"tools.call"}}
	l, err := control(ctx, p, granted, several)
	if err != nil {
		return err
	}
	if l.Calls() < 2 {
		return &check.CannotJudge{Reason: "the control failed: the client calls the tool once", Err: ending(l)}
	}
	denied := lab.Script{Scope: "tools.read", ToolScopes: []string{"tools.call"}, Answers: declining("tools.call")}
	l = try(ctx, p, denied, several)
	asked := 0
	for _, page := range l.Authorizations(l.Authority()) {
		if slices.Contains(strings.Fields(page.Query.Get("scope")), "tools.call") {
			asked++
		}
	}
	switch {
	case asked == 0:
		return &check.NotApplicable{Reason: "the client does not step up"}
	case asked > 1:
		return l.Mismatch("one question to the person for the same scopes", fmt.Sprint(asked))
	}
	return nil
}

// declining answers a request for a scope with access_denied, and others as is right.
func declining(scope string) func(l *lab.Lab, a *lab.Authorization) []lab.Answer {
	return func(_ *lab.Lab, a *lab.Authorization) []lab.Answer {
		right := a.Right()
		if slices.Contains(strings.Fields(a.Params.Get("scope")), scope) {
			right.Params.Del("code")
			right.Params.Set("error", "access_denied")
		}
		return []lab.Answer{right}
	}
}
