package clients

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	"mcpentra/conformance/engine"
	"mcpentra/conformance/lab"
)

// clientStepUp: a token that is not enough (MCP 2025-11-25 authorization, Step-Up Authorization Flow), and servers that are never content.
func clientStepUp() []engine.Check {
	const stepUp = "MCP 2025-11-25 authorization, Step-Up Authorization Flow"
	more := lab.Script{Scope: "tools.read", ToolScopes: []string{"tools.call"}}
	within := lab.Script{Scope: "tools.read tools.call", ToolScopes: []string{"tools.call"}}
	return []engine.Check{
		{
			ID: "client/step-up/attempted", Role: engine.Client, Level: engine.Should, Revisions: since20251125, Reference: stepUp,
			Sentence: "A client that is refused for its scopes asks the person for those that the challenge names.",
			Covers:   []string{"client-stepup-attempted"},
			RunClient: afterControl(within, more, func(l *lab.Lab) error {
				made := l.Authorizations(l.Authority())
				if len(made) < 2 || !slices.Contains(strings.Fields(made[len(made)-1].Query.Get("scope")), "tools.call") {
					return l.Mismatch("a second authorization request, with the scope of the challenge", fmt.Sprintf("%d authorization requests", len(made)))
				}
				return nil
			}),
		},
		{
			ID: "client/step-up/union", Role: engine.Client, Level: engine.Should, Revisions: since20260728,
			Reference: "MCP 2026-07-28 authorization, Step-Up Authorization Flow",
			Sentence:  "A step up asks for the scopes of before as well.",
			Covers:    []string{"client-stepup-union"},
			RunClient: afterControl(within, more, func(l *lab.Lab) error {
				made := l.Authorizations(l.Authority())
				if len(made) < 2 {
					return &engine.NotApplicable{Reason: "the client does not step up"}
				}
				if scope := made[1].Query.Get("scope"); !slices.Contains(strings.Fields(scope), "tools.read") {
					return l.Mismatch("the scope tools.read again", fmt.Sprintf("%q", scope))
				}
				return nil
			}),
		},
		{
			ID: "client/step-up/registered", Role: engine.Client, Level: engine.Should, Revisions: since20251125,
			Reference: "RFC 7591 section 2; " + stepUp,
			Sentence: "A registration that names scopes names all that the client asks for with it, so that it does " +
				"not stand in the way of a step up.",
			RunClient: afterControl(within, more, func(l *lab.Lab) error {
				if len(l.Registrations(l.Authority())) == 0 || len(l.Authorizations(l.Authority())) < 2 {
					return &engine.NotApplicable{Reason: "the client does not register, or does not step up"}
				}
				if beyond := beyondRegistration(l); beyond != "" {
					return l.Mismatch("scopes that the client registered with, or no scopes at registration", beyond)
				}
				return nil
			}),
		},
		{
			ID: "client/step-up/repeats", Role: engine.Client, Level: engine.Should, Revisions: since20251125, Reference: stepUp,
			Sentence: "After a step up the request is sent again with the new token.",
			Covers:   []string{"client-stepup-retries-request"},
			RunClient: afterControl(within, more, func(l *lab.Lab) error {
				if len(l.AccessTokens(l.Authority())) < 2 {
					return &engine.NotApplicable{Reason: "the client does not step up"}
				}
				if !l.Called() {
					return l.Mismatch("the call again with the new token", fmt.Sprintf("none: %v", ending(l)))
				}
				return nil
			}),
		},
		{
			ID: "client/step-up/limit", Role: engine.Client, Level: engine.Should, Revisions: since20251125, Severity: engine.High, Reference: stepUp,
			Sentence: "A server that demands ever more scopes is given up on after a few tries.",
			Covers:   []string{"client-stepup-retry-limit", "CL-024"},
			RunClient: spared(within, gotToken, func(l *lab.Lab) string {
				if n := len(l.Authorizations(l.Authority())); n > 1+few {
					return fmt.Sprintf("%d authorization requests", n)
				}
				return ""
			}, variant{"another scope each time", lab.Script{StepUp: func(n int) []string { return []string{fmt.Sprintf("more.%d", n)} }}},
				variant{"the same scope each time", lab.Script{StepUp: func(int) []string { return []string{"more"} }}}),
		},
		{
			ID: "client/step-up/tracked", Role: engine.Client, Level: engine.Should, Revisions: since20251125, Severity: engine.Medium, Abilities: []engine.Ability{engine.SeveralCalls}, Reference: stepUp,
			Sentence: "What was tried in vain for one call of a tool is not tried all over again for the next.",
			Covers:   []string{"client-stepup-tracks-attempts", "CL-024"},
			RunClient: func(ctx context.Context, p *engine.ClientProbe) error {
				const calls = 4
				several := func(task *engine.Task) { task.Calls = calls }
				l, err := control(ctx, p, within, several)
				if err != nil {
					return err
				}
				if l.Calls() != calls {
					return &engine.CannotJudge{Reason: fmt.Sprintf("the control failed: the client calls the tool %d times instead of %d", l.Calls(), calls), Err: ending(l)}
				}
				l = try(ctx, p, lab.Script{StepUp: func(n int) []string { return []string{fmt.Sprintf("more.%d", n)} }}, several)
				if n := len(l.Authorizations(l.Authority())); n > 1+few {
					return l.Mismatch(fmt.Sprintf("at most %d authorization requests for %d calls of one tool", 1+few, calls), fmt.Sprint(n))
				}
				return nil
			},
		},
		{
			ID: "client/step-up/flood", Role: engine.Client, Level: engine.Policy, Revisions: since20251125, Severity: engine.High, Reference: stepUp,
			Sentence: "Nobody is asked to approve thousands of scopes.",
			Covers:   []string{"CL-025"},
			RunClient: spared(within, gotToken, func(l *lab.Lab) string {
				for _, one := range l.Authorizations(l.Authority()) {
					if n := len(strings.Fields(one.Query.Get("scope"))); n > 1000 {
						return fmt.Sprintf("an authorization request with %d scopes", n)
					}
				}
				return ""
			}, variant{"a challenge with 2,000 scopes", lab.Script{StepUp: func(int) []string { return manyScopes(2000) }}}),
		},
		{
			ID: "client/refusal/limit", Role: engine.Client, Level: engine.Policy, Severity: engine.High,
			Reference: "MCP authorization, Error Handling",
			Sentence:  "A server that refuses every token is given up on, and the person is not asked again and again.",
			Covers:    []string{"CL-024"},
			RunClient: spared(lab.Script{}, gotToken, func(l *lab.Lab) string {
				if n := len(l.Authorizations(l.Authority())); n > few {
					return fmt.Sprintf("%d authorization requests", n)
				}
				if n := len(l.Endpoint()); n > 40 {
					return fmt.Sprintf("%d requests to the endpoint", n)
				}
				return ""
			}, variant{"a refusal of every token", lab.Script{OldTokens: 1 << 20}}, variant{"a refusal of every token, with refresh tokens", lab.Script{OldTokens: 1 << 20, Refresh: true}},
				variant{"refusals of the token and of its scopes by turns", lab.Script{Intercept: byTurns()}}, variant{"a 403 that names no error", lab.Script{Intercept: forbidden}}),
		},
	}
}

// byTurns refuses a call for its token and for its scopes by turns, with other scopes each time.
func byTurns() func(*lab.Lab, *lab.Request, http.ResponseWriter, *http.Request) bool {
	var turns atomic.Int64
	return func(l *lab.Lab, r *lab.Request, w http.ResponseWriter, _ *http.Request) bool {
		if r.RPC != "tools/call" || r.Bearer() == "" {
			return false
		}
		n := turns.Add(1)
		if n%2 == 1 {
			w.Header().Set("WWW-Authenticate", l.Challenge()+`, error="invalid_token"`)
			w.WriteHeader(http.StatusUnauthorized)
			return true
		}
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`%s, error="insufficient_scope", scope="more.%d"`, l.Challenge(), n))
		w.WriteHeader(http.StatusForbidden)
		return true
	}
}

// forbidden refuses a call with a challenge that says nothing.
func forbidden(_ *lab.Lab, r *lab.Request, w http.ResponseWriter, _ *http.Request) bool {
	if r.RPC != "tools/call" || r.Bearer() == "" {
		return false
	}
	w.Header().Set("WWW-Authenticate", "Bearer")
	w.WriteHeader(http.StatusForbidden)
	return true
}

// beyondRegistration is a scope that a client asks for and did not name when it last registered, or "".
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
	return func(ctx context.Context, p *engine.ClientProbe) error {
		if _, err := control(ctx, p, good); err != nil {
			return err
		}
		return judge(try(ctx, p, script))
	}
}
