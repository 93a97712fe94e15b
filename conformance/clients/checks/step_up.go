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

// stepUpChecks are checks of client/step-up: insufficient_scope, once and without end (MCP
// 2025-11-25 authorization, Step-Up Authorization Flow).
func stepUpChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/step-up/attempted",
				Level:     check.Should,
				Revisions: since20251125,
				Reference: "MCP 2025-11-25 authorization, Step-Up Authorization Flow",
				Sentence:  "A client that gets insufficient_scope asks the person for the scopes in the challenge.",
				Covers:    []string{"client-stepup-attempted"},
			},
			Needs: []bench.Need{bench.Calling},
			Run:   judgeAfter(lab.Script{}, needsStepUp(), wantStepUp),
		},
		{
			Rule: check.Rule{
				ID:        "client/step-up/union",
				Level:     check.Should,
				Revisions: since20260728,
				Reference: "MCP 2026-07-28 authorization, Step-Up Authorization Flow",
				Sentence:  "A step-up also requests the earlier scopes.",
				Covers:    []string{"client-stepup-union"},
			},
			Needs: []bench.Need{bench.Calling},
			Run:   judgeAfter(lab.Script{}, needsStepUp(), wantUnion),
		},
		{
			Rule: check.Rule{
				ID:        "client/step-up/registered",
				Level:     check.Policy,
				Revisions: since20251125,
				Reference: "RFC 7591 section 2; MCP 2025-11-25 authorization, Step-Up Authorization Flow",
				Sentence: "A registration that lists scopes lists every scope that the client requests with " +
					"it, so that a step-up can work.",
			},
			Needs: []bench.Need{bench.Calling},
			Run:   judgeAfter(lab.Script{}, needsStepUp(), wantRegisteredScopes),
		},
		{
			Rule: check.Rule{
				ID:        "client/step-up/repeats",
				Level:     check.Should,
				Revisions: since20251125,
				Reference: "MCP 2025-11-25 authorization, Step-Up Authorization Flow",
				Sentence:  "After a step-up the client repeats the request with the new token.",
				Covers:    []string{"client-stepup-retries-request"},
			},
			Needs: []bench.Need{bench.Calling},
			Run:   judgeAfter(lab.Script{}, needsStepUp(), wantRepeat),
		},
		{
			Rule: check.Rule{
				ID:        "client/step-up/limit",
				Level:     check.Should,
				Severity:  check.High,
				Revisions: since20251125,
				Reference: "MCP 2025-11-25 authorization, Step-Up Authorization Flow",
				Sentence:  "A client gives up after a few tries on a server that demands ever more scopes.",
				Covers:    []string{"client-stepup-retry-limit", "CL-024"},
			},
			Needs: []bench.Need{bench.Calling},
			Run: noHarm(
				lab.Script{},
				requestedToken,
				steppedUpTooOften,
				variant{"another scope each time", lab.Script{StepUp: anotherScope}},
				variant{
					"the same scope each time",
					lab.Script{StepUp: func(int) []string { return []string{"more"} }},
				},
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/step-up/tracked",
				Level:     check.Should,
				Severity:  check.Medium,
				Revisions: since20251125,
				Reference: "MCP 2025-11-25 authorization, Step-Up Authorization Flow",
				Sentence:  "A step-up that failed for one call of a tool is not tried again for the next call.",
				Covers:    []string{"client-stepup-tracks-attempts", "CL-024"},
			},
			Abilities: []bench.Ability{bench.SeveralCalls},
			Needs:     []bench.Need{bench.Calling},
			Run:       stepUpTracked,
		},
		{
			Rule: check.Rule{
				ID:        "client/step-up/flood",
				Level:     check.Policy,
				Severity:  check.High,
				Revisions: since20251125,
				Reference: "MCP 2025-11-25 authorization, Step-Up Authorization Flow",
				Sentence:  "A client does not ask the person to approve thousands of scopes.",
				Covers:    []string{"CL-025"},
			},
			Needs: []bench.Need{bench.Calling},
			Run: noHarm(
				lab.Script{},
				requestedToken,
				thousandsOfScopes,
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
				Sentence:  "A person who declined more scopes is not asked for them again by the next call.",
			},
			Abilities: []bench.Ability{bench.SeveralCalls},
			Needs:     []bench.Need{bench.Calling},
			Run:       stepUpDeclined,
		},
	}
}

// needsStepUp is a lab where the tool needs one more scope.
func needsStepUp() lab.Script {
	return lab.Script{Scope: "tools.read", ToolScopes: []string{"tools.call"}}
}

// anotherScope demands another scope at each refusal.
func anotherScope(n int) []string { return []string{fmt.Sprintf("more.%d", n)} }

// wantStepUp wants a second authorization request with the challenged scope.
func wantStepUp(l *lab.Lab) error {
	made := l.Authorizations(l.Authority())
	if len(made) < 2 || !asksForScope(made[len(made)-1], "tools.call") {
		return l.Mismatch(
			"a second authorization request with the challenged scope",
			fmt.Sprintf("%d authorization requests", len(made)),
		)
	}
	return nil
}

// wantUnion wants the earlier scope in the second authorization request.
func wantUnion(l *lab.Lab) error {
	made := l.Authorizations(l.Authority())
	if len(made) < 2 {
		return &check.NotApplicable{Reason: "the client does not step up"}
	}
	if !asksForScope(made[0], "tools.read") {
		return &check.NotApplicable{Reason: "the client did not request the earlier scope"}
	}
	if !asksForScope(made[1], "tools.read") {
		return l.Mismatch("the scope tools.read again", fmt.Sprintf("%q", made[1].Query.Get("scope")))
	}
	return nil
}

// wantRegisteredScopes wants no scope that the client left out of its registration.
func wantRegisteredScopes(l *lab.Lab) error {
	if len(l.Registrations(l.Authority())) == 0 || len(l.Authorizations(l.Authority())) < 2 {
		return &check.NotApplicable{Reason: "the client does not register, or does not step up"}
	}
	if beyond := beyondRegistration(l); beyond != "" {
		return l.Mismatch("registered scopes only, or a registration without scopes", beyond)
	}
	return nil
}

// asksForScope reports whether an authorization request names a scope.
func asksForScope(request lab.Request, scope string) bool {
	return slices.Contains(strings.Fields(request.Query.Get("scope")), scope)
}

// wantRepeat wants the call again, with the new token.
func wantRepeat(l *lab.Lab) error {
	if len(l.AccessTokens(l.Authority())) < 2 {
		return &check.NotApplicable{Reason: "the client does not step up"}
	}
	if !l.Called() {
		return l.Mismatch("a second call with the new token", fmt.Sprintf("none: %v", ending(l)))
	}
	return nil
}

// steppedUpTooOften reports too many authorization requests.
func steppedUpTooOften(l *lab.Lab) string {
	if n := len(l.Authorizations(l.Authority())); n > (1+maxTries)*attempts(l) {
		return fmt.Sprintf("%d authorization requests", n)
	}
	return ""
}

// thousandsOfScopes reports an authorization request with more than 1,000 scopes.
func thousandsOfScopes(l *lab.Lab) string {
	for _, request := range l.Authorizations(l.Authority()) {
		if n := len(strings.Fields(request.Query.Get("scope"))); n > 1000 {
			return fmt.Sprintf("an authorization request with %d scopes", n)
		}
	}
	return ""
}

// stepUpTracked tries client/step-up/tracked.
func stepUpTracked(ctx context.Context, p *bench.Probe) error {
	const calls = 4
	several := func(task *bench.Task) { task.Calls = calls }
	l, err := completeTask(ctx, p, lab.Script{}, several)
	if err != nil {
		return err
	}
	if l.Calls() != calls {
		const reason = "the control failed: the client calls the tool %d times instead of %d"
		return &check.CannotJudge{Reason: fmt.Sprintf(reason, l.Calls(), calls), Err: ending(l)}
	}
	l = runClient(ctx, p, lab.Script{StepUp: anotherScope}, several)
	if n := len(l.Authorizations(l.Authority())); n > (1+maxTries)*attempts(l) {
		return l.Mismatch(
			fmt.Sprintf("at most %d authorization requests for %d calls of one tool", 1+maxTries, calls),
			fmt.Sprint(n),
		)
	}
	return nil
}

// beyondRegistration returns a scope that the client requested and did not list in its last
// registration, or "".
func beyondRegistration(l *lab.Lab) string {
	registrations := append(l.Registrations(lab.Issuer), l.Registrations(lab.Server)...)
	for _, page := range l.Authorizations(l.Authority()) {
		listed := ""
		for _, request := range registrations {
			if request.At.Before(page.At) {
				listed, _ = request.JSON["scope"].(string)
			}
		}
		for scope := range strings.FieldsSeq(page.Query.Get("scope")) {
			if listed != "" && !slices.Contains(strings.Fields(listed), scope) {
				return fmt.Sprintf("%s; the registration lists %q", scope, listed)
			}
		}
	}
	return ""
}

// manyScopes returns n different scopes.
func manyScopes(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("s%d", i)
	}
	return all
}

// judgeAfter runs the client in a good lab, where it must call the tool, and then judges its record
// in another lab.
func judgeAfter(good, script lab.Script, verdict func(l *lab.Lab) error) runFunc {
	return func(ctx context.Context, p *bench.Probe) error {
		if err := wantControl(ctx, p, good); err != nil {
			return err
		}
		return verdict(runClient(ctx, p, script))
	}
}

// stepUpDeclined tries client/step-up/declined: the person declines the step-up, and the client
// calls the tool again.
func stepUpDeclined(ctx context.Context, p *bench.Probe) error {
	several := func(task *bench.Task) { task.Calls = 3 }
	l, err := completeTask(ctx, p, lab.Script{}, several)
	if err != nil {
		return err
	}
	if l.Calls() < 2 {
		return &check.CannotJudge{Reason: "the control failed: the client calls the tool once", Err: ending(l)}
	}
	script := needsStepUp()
	script.Answers = decline("tools.call")
	l = runClient(ctx, p, script, several)
	asked := 0
	for _, page := range l.Authorizations(l.Authority()) {
		if asksForScope(page, "tools.call") {
			asked++
		}
	}
	switch {
	case asked == 0:
		return &check.NotApplicable{Reason: "the client does not step up"}
	case asked > attempts(l):
		return l.Mismatch("one authorization request for the same scopes", fmt.Sprint(asked))
	}
	return nil
}

// decline answers a request for the scope with access_denied, and other requests as usual.
func decline(scope string) func(l *lab.Lab, a *lab.Authorization) []lab.Answer {
	return func(_ *lab.Lab, a *lab.Authorization) []lab.Answer {
		right := a.Right()
		if slices.Contains(strings.Fields(a.Params.Get("scope")), scope) {
			right.Params.Del("code")
			right.Params.Set("error", "access_denied")
		}
		return []lab.Answer{right}
	}
}
