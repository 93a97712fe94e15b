package checks

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// tokenChecks returns the checks of server/token about good tokens, and values that are not tokens
// (MCP authorization, Token Handling).
func tokenChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:           "server/token/accepted",
				Level:        check.Must,
				EachRevision: true,
				Reference:    "MCP authorization, Access Token Usage",
				Sentence:     "A request with a good token is served.",
				Covers:       []string{"server-valid-token-accepted"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    tokenAccepted,
		},
		{
			Rule: check.Rule{
				ID:        "server/token/scheme-case",
				Level:     check.Must,
				Reference: "RFC 9110 section 11.1",
				Sentence:  "The scheme Bearer is accepted in any letter case.",
				Covers:    []string{"RS-007", "server-scheme-case-insensitive"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    tokenSchemeCase,
		},
		{
			Rule: check.Rule{
				ID:        "server/token/garbage",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 6750 section 3.1; OAuth 2.1 section 5.2",
				Sentence:  "A value that is not a token is refused with 401.",
				Covers:    []string{"server-401-garbage-token"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.RefusesAll(attack.Unauthorized, tokenGarbageVectors()...),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/in-query",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "MCP authorization, Token Requirements; OAuth 2.1 section 5.1",
				Sentence:  "A token in the query is ignored.",
				Covers:    []string{"RS-002", "server-query-token-ignored"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    tokenInQuery,
		},
	}
}

// tokenAccepted is a control whose failure is the server's own.
func tokenAccepted(ctx context.Context, p *bench.Probe) error {
	good, err := p.Token(ctx, bench.Good)
	if err != nil {
		return err
	}
	answer, err := p.Send(ctx, bench.Request{Header: bench.Bearer(good)})
	if err != nil {
		return err
	}
	if p.RefusesRevision(answer) {
		return &check.NotSpoken{Revision: p.Revision}
	}
	if !answer.Succeeded() {
		return p.Mismatch("status 200 with a JSON-RPC result", fmt.Sprintf("status %d", answer.Status))
	}
	return nil
}

// tokenSchemeCase tries server/token/scheme-case.
func tokenSchemeCase(ctx context.Context, p *bench.Probe) error {
	good, err := p.Control(ctx)
	if err != nil {
		return err
	}
	for _, scheme := range []string{"bearer", "BEARER"} {
		answer, err := p.Send(ctx, bench.Request{Header: http.Header{"Authorization": {scheme + " " + good}}})
		if err != nil {
			return err
		}
		if !answer.Succeeded() {
			return p.Mismatch("the result with "+scheme, fmt.Sprintf("status %d", answer.Status))
		}
	}
	return nil
}

func tokenGarbageVectors() []attack.Vector {
	bearer := func(token string) func(*bench.Request, string) {
		return func(r *bench.Request, _ string) { r.Header.Set("Authorization", "Bearer "+token) }
	}
	return []attack.Vector{
		{Name: "a word", Change: bearer(attack.MalformedToken)},
		{Name: "three words", Change: bearer(attack.MalformedJWT)},
		{Name: "2 KiB", Change: bearer(strings.Repeat("garbage", 300))},
		{Name: "8 KiB", Want: tooLong, Change: bearer(strings.Repeat("garbage", 1200))},
	}
}

// refusesKind makes the Run of a check that wants tokens of a kind refused.
func refusesKind(kind bench.TokenKind, want []int) func(ctx context.Context, p *bench.Probe) error {
	return attack.WithTrial(func(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
		token, err := p.Token(ctx, kind)
		if err != nil {
			return err
		}
		request := attack.WithToken(token, trial.Request())
		_, err = trial.WantRefused(ctx, "a token of the kind: "+string(kind), request, want...)
		return err
	})
}

// tokenInQuery tries server/token/in-query.
func tokenInQuery(ctx context.Context, p *bench.Probe) error {
	good, err := p.Control(ctx)
	if err != nil {
		return err
	}
	for _, name := range []string{"access_token", "token"} {
		answer, err := p.Send(ctx, bench.Request{Query: url.Values{name: {good}}})
		if err != nil {
			return err
		}
		switch {
		case answer.Status/100 == 2:
			return p.Insecure("status 401", fmt.Sprintf("status %d", answer.Status))
		case answer.Status != http.StatusUnauthorized && answer.Status != http.StatusBadRequest:
			return p.Mismatch("status 401", fmt.Sprintf("status %d", answer.Status))
		}
	}
	return nil
}
