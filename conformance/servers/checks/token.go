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

// tokenChecks are checks of server/token: which access tokens are good (MCP authorization, Token
// Handling; RFC 8725).
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
			Run:    accepted,
		},
		{
			Rule: check.Rule{
				ID:        "server/token/scheme-case",
				Level:     check.Must,
				Reference: "RFC 9110 section 11.1",
				Sentence:  "The scheme Bearer is recognised in any case.",
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
				Sentence:  "What is not a token is refused with 401.",
				Covers:    []string{"server-401-garbage-token"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run: attack.RefusesAll(attack.Unauthorized,
				attack.Vector{
					Name:   "a word",
					Change: attack.Authorization(func(string) string { return "Bearer " + garbage }),
				},
				attack.Vector{
					Name:   "three words",
					Change: attack.Authorization(func(string) string { return "Bearer " + bad }),
				},
				attack.Vector{
					Name: "2 KiB",
					Change: attack.Authorization(func(string) string {
						return "Bearer " + strings.Repeat("garbage", 300)
					}),
				},
				attack.Vector{
					Name: "8 KiB",
					Want: tooLong,
					Change: attack.Authorization(func(string) string {
						return "Bearer " + strings.Repeat("garbage", 1200)
					}),
				},
			),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/expired",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 7519 section 4.1.4; MCP authorization, Token Handling",
				Sentence:  "A token that has expired is refused.",
				Covers:    []string{"server-401-expired-token"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.Expired},
			Run:    refusesKind(bench.Expired),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/not-yet-valid",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 7519 section 4.1.5",
				Sentence:  "A token that is not valid yet is refused.",
				Covers:    []string{"server-401-not-yet-valid"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.NotYetValid},
			Run:    refusesKind(bench.NotYetValid),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/foreign-audience",
				Level:     check.Must,
				Severity:  check.Critical,
				Revisions: withMetadata,
				Reference: "MCP authorization, Token Audience Binding and Validation; RFC 8707 section 2",
				Sentence:  "A token that was issued for another resource is refused.",
				Covers:    []string{"server-401-wrong-audience"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.ForeignAudience},
			Run:    refusesKind(bench.ForeignAudience),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/foreign-issuer",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 8725 section 3.8",
				Sentence:  "A token that names another issuer is refused, even with a good signature.",
				Covers:    []string{"server-401-wrong-issuer"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.ForeignIssuer},
			Run:    refusesKind(bench.ForeignIssuer),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/in-query",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "MCP authorization, Token Requirements; OAuth 2.1 section 5.1",
				Sentence:  "A token in the query counts for nothing.",
				Covers:    []string{"RS-002", "server-query-token-ignored"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    tokenInQuery,
		},
	}
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
		if answer.Status != http.StatusUnauthorized && answer.Status != http.StatusBadRequest {
			return p.Mismatch("status 401", fmt.Sprintf("status %d", answer.Status))
		}
	}
	return nil
}

// garbage has the form of a token and is none.
const garbage = "this-is-not-a-token"

// bad has the form of a JWT and is none.
const bad = "this.is.not-a-token"

// refusesKind is the Run of a check whose tokens of a kind have to be refused.
func refusesKind(kind bench.TokenKind) func(ctx context.Context, p *bench.Probe) error {
	return func(ctx context.Context, p *bench.Probe) error {
		trial, err := p.Trial(ctx)
		if err != nil {
			return err
		}
		bad, err := p.Token(ctx, kind)
		if err != nil {
			return err
		}
		request := trial.Request()
		request.Header.Set("Authorization", "Bearer "+bad)
		_, err = trial.Denied(ctx, "a token of the kind: "+string(kind), request, attack.Unauthorized...)
		return err
	}
}

// accepted is the positive check: the control with its failure as the server's own.
func accepted(ctx context.Context, p *bench.Probe) error {
	good, err := p.Token(ctx, bench.Good)
	if err != nil {
		return err
	}
	answer, err := p.Send(ctx, bench.Request{Header: bench.Bearer(good)})
	if err != nil {
		return err
	}
	if p.Unspoken(answer) {
		return &check.NotSpoken{Revision: p.Revision}
	}
	if !answer.Succeeded() {
		return p.Mismatch("status 200 with a JSON-RPC result", fmt.Sprintf("status %d", answer.Status))
	}
	return nil
}
