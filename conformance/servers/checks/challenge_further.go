package checks

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/inputs"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// challengeFurtherChecks returns the check of server/challenge about all challenges of a refusal.
func challengeFurtherChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/challenge/further",
				Level:     check.Must,
				Severity:  check.Low,
				Reference: "RFC 9110 sections 11.2 and 11.6.1; RFC 6750 section 3",
				Sentence: "Each challenge of a 401 or 403 is well-formed, also after the first and in other " +
					"lines, and has each parameter once.",
				Covers: []string{"server-401-challenge-syntax"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.WithTrial(challengeFurther),
		},
	}
}

// challengeFurther reads every line of WWW-Authenticate in refusals of several kinds. The first
// Bearer challenge is the matter of other checks, so a malformed one is passed over.
func challengeFurther(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	all, err := refusals(ctx, p, trial)
	if err != nil {
		return err
	}
	if p.Supplies(bench.WithoutScope) {
		token, err := p.Token(ctx, bench.WithoutScope)
		if err != nil {
			return err
		}
		request := attack.WithToken(token, trial.Request())
		all = append(all, refusal{namedRequest{"a token that lacks a scope", request}, false})
	}
	read := 0
	if err := inputs.TryAll(all, func(refused refusal) error {
		answer, err := p.Send(ctx, refused.request)
		if err != nil {
			return err
		}
		isRefusal := answer.Status == http.StatusUnauthorized || answer.Status == http.StatusForbidden
		if !isRefusal || len(answer.Header.Values("WWW-Authenticate")) == 0 {
			return nil
		}
		if _, err := p.Challenge(answer); err != nil {
			return nil
		}
		read++
		return whenRefused(wantWellFormed(p, answer), refused.name)
	}); err != nil {
		return err
	}
	if read == 0 {
		return &check.Skipped{
			Of:     "server/challenge/every-refusal",
			Reason: "no refusal has a well-formed Bearer challenge",
		}
	}
	return nil
}

// wantWellFormed wants each challenge of an answer well-formed.
func wantWellFormed(p *bench.Probe, answer *bench.Answer) error {
	for _, line := range answer.Header.Values("WWW-Authenticate") {
		challenges, err := bench.ParseChallenges(line)
		if err != nil {
			return p.Mismatch("well-formed challenges", fmt.Sprintf("%v in %q", err, line))
		}
		if len(challenges) == 0 {
			return p.Mismatch("a challenge in each line of WWW-Authenticate", fmt.Sprintf("%q", line))
		}
		for _, challenge := range challenges {
			if strings.EqualFold(challenge.Scheme, "Bearer") && len(challenge.Parameters) == 0 {
				return p.Mismatch("a Bearer challenge with at least one parameter", fmt.Sprintf("%q", line))
			}
		}
	}
	return nil
}
