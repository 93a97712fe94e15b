package checks

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// scopeChecks returns the checks of authorization-server/scope.
func scopeChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/scope/omitted",
				Level:     check.Must,
				Reference: "OAuth 2.1 draft-13 sections 1.4.1 and 3.1",
				Sentence:  "A request without scope, or with an empty one, gets a default or invalid_scope.",
				Covers:    []string{"as-scope-omitted", "as-empty-parameters"},
			},
			Needs: []bench.Need{bench.Scripted},
			Run:   scopeOmitted,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/scope/unknown",
				Level:     check.Should,
				Severity:  check.High,
				Reference: "OAuth 2.1 draft-13 section 1.4.1",
				Sentence:  "An unknown scope is refused with invalid_scope, or left out of the granted ones.",
				Covers:    []string{"AS-028"},
			},
			Needs: []bench.Need{bench.SignIn, bench.Scopes},
			Run:   scopeUnknown,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/scope/named",
				Level:     check.Should,
				Reference: "OAuth 2.1 draft-13 section 1.4.1: required if the issued scope differs",
				Sentence:  "The answer names the granted scope if it differs from the requested one.",
				Covers:    []string{"as-token-response-members"},
			},
			Needs: []bench.Need{bench.SignIn, bench.Scopes},
			Run:   scopeNamed,
		},
	}
}

// unknownScope is a scope that no authorization server has.
const unknownScope = "mcp-auth-conformance:unknown"

// scopeOmitted tries authorization-server/scope/omitted.
func scopeOmitted(ctx context.Context, p *bench.Probe) error {
	client, err := publicClient(ctx, p)
	if err != nil {
		return err
	}
	var ends []string
	for name, change := range map[string]bench.Change{
		"no scope":       bench.Without("scope"),
		"an empty scope": bench.Set("scope", ""),
	} {
		made, err := p.Authorize(ctx, client, change)
		if err != nil {
			return err
		}
		code := made.Response.Get("error")
		if code == "" {
			code = "none"
		}
		ends = append(ends, code)
		switch {
		case made.Code() != "", code == "invalid_scope":
		case made.Landed == nil && made.Browser.Last().Status >= 500:
			return p.Mismatch("a code or invalid_scope for "+name, made.String())
		case made.Landed != nil:
			return p.MismatchAt(check.Should, "a code or invalid_scope for "+name, made.String())
		}
	}
	if ends[0] != ends[1] {
		return p.Mismatch("the same answer without scope and with an empty one", strings.Join(ends, " and "))
	}
	return nil
}

// scopeAnswer asks for a known scope and an unknown one. It returns the scope in the answer, or nil
// if the request is refused.
func scopeAnswer(ctx context.Context, p *bench.Probe) (*bench.Authorization, *string, bool, error) {
	client, err := publicClient(ctx, p)
	if err != nil {
		return nil, nil, false, err
	}
	asked := p.Target().Scopes[0] + " " + unknownScope
	made, err := p.Authorize(ctx, client, bench.Set("scope", asked))
	if err != nil || made.Code() == "" {
		return made, nil, false, err
	}
	answer, tokens, err := p.Redeem(ctx, made)
	if err != nil || tokens == nil {
		return made, nil, false, err
	}
	var members struct {
		Scope *string `json:"scope"`
	}
	_ = json.Unmarshal(answer.Body, &members)
	return made, members.Scope, true, nil
}

// scopeUnknown tries authorization-server/scope/unknown.
func scopeUnknown(ctx context.Context, p *bench.Probe) error {
	made, scope, issued, err := scopeAnswer(ctx, p)
	if err != nil {
		return err
	}
	code := made.Response.Get("error")
	switch {
	case issued && scope != nil && slices.Contains(strings.Fields(*scope), unknownScope):
		return p.Mismatch("tokens without the scope "+unknownScope, fmt.Sprintf("scope %q", *scope))
	case code != "" && code != "invalid_scope":
		return p.Mismatch("error=invalid_scope", made.String())
	}
	return nil
}

// scopeNamed tries authorization-server/scope/named. A server that names the scope of some answers
// shows with them what it grants.
func scopeNamed(ctx context.Context, p *bench.Probe) error {
	_, scope, issued, err := scopeAnswer(ctx, p)
	switch {
	case err != nil:
		return err
	case !issued:
		return &check.NotApplicable{Reason: "the server refuses an unknown scope"}
	case scope == nil:
		return p.Mismatch("scope in the answer to a request with an unknown scope", "an answer without scope")
	}
	return nil
}
