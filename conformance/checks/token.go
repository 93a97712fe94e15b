package checks

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"mcpentra/conformance/engine"
)

// garbage has the form of a token and is none.
const garbage = "this-is-not-a-token"

// bad has the form of a JWT and is none.
const bad = "this.is.not-a-token"

// token: which access tokens are good (MCP authorization, Token Handling; RFC 8725).
func token() []engine.Check {
	refused := func(id, covers, reference, sentence string, kind engine.TokenKind) engine.Check {
		return engine.Check{
			ID: "server/token/" + id, Role: engine.Server, Level: engine.Must, Severity: engine.Critical, Needs: []engine.TokenKind{engine.Good, kind}, Covers: []string{covers},
			Reference: reference, Sentence: sentence,
			Run: func(ctx context.Context, p *engine.Probe) error {
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
				_, err = trial.Denied(ctx, "a token of the kind: "+string(kind), request, unauthorized...)
				return err
			},
		}
	}
	audience := refused("foreign-audience", "server-401-wrong-audience", "MCP authorization, Token Audience Binding and Validation; RFC 8707 section 2",
		"A token that was issued for another resource is refused.", engine.ForeignAudience)
	audience.Revisions = withMetadata
	return []engine.Check{
		{
			ID: "server/token/accepted", Role: engine.Server, Level: engine.Must, EachRevision: true, Needs: []engine.TokenKind{engine.Good},
			Covers:    []string{"server-valid-token-accepted"},
			Reference: "MCP authorization, Access Token Usage",
			Sentence:  "A request with a good token is served.",
			Run:       accepted,
		},
		{
			ID: "server/token/scheme-case", Role: engine.Server, Level: engine.Must, Needs: []engine.TokenKind{engine.Good},
			Covers:    []string{"RS-007", "server-scheme-case-insensitive"},
			Reference: "RFC 9110 section 11.1",
			Sentence:  "The scheme Bearer is recognised in any case.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				good, err := p.Control(ctx)
				if err != nil {
					return err
				}
				for _, scheme := range []string{"bearer", "BEARER"} {
					answer, err := p.Send(ctx, engine.Request{Header: http.Header{"Authorization": {scheme + " " + good}}})
					if err != nil {
						return err
					}
					if !answer.Succeeded() {
						return p.Mismatch("the result with "+scheme, fmt.Sprintf("status %d", answer.Status))
					}
				}
				return nil
			},
		},
		{
			ID: "server/token/garbage", Role: engine.Server, Level: engine.Must, Severity: engine.Critical, Needs: []engine.TokenKind{engine.Good}, Covers: []string{"server-401-garbage-token"},
			Reference: "RFC 6750 section 3.1; OAuth 2.1 section 5.2",
			Sentence:  "What is not a token is refused with 401.",
			Run: denied(unauthorized,
				vector{name: "a word", change: authorization(func(string) string { return "Bearer " + garbage })},
				vector{name: "three words", change: authorization(func(string) string { return "Bearer " + bad })},
				vector{name: "2 KiB", change: authorization(func(string) string { return "Bearer " + strings.Repeat("garbage", 300) })},
				vector{name: "8 KiB", want: tooLong, change: authorization(func(string) string { return "Bearer " + strings.Repeat("garbage", 1200) })},
			),
		},
		refused("expired", "server-401-expired-token", "RFC 7519 section 4.1.4; MCP authorization, Token Handling", "A token that has expired is refused.", engine.Expired),
		refused("not-yet-valid", "server-401-not-yet-valid", "RFC 7519 section 4.1.5", "A token that is not valid yet is refused.", engine.NotYetValid),
		audience,
		refused("foreign-issuer", "server-401-wrong-issuer", "RFC 8725 section 3.8", "A token that names another issuer is refused, even with a good signature.", engine.ForeignIssuer),
		{
			ID: "server/token/in-query", Role: engine.Server, Level: engine.Must, Severity: engine.High, Needs: []engine.TokenKind{engine.Good},
			Covers:    []string{"RS-002", "server-query-token-ignored"},
			Reference: "MCP authorization, Token Requirements; OAuth 2.1 section 5.1",
			Sentence:  "A token in the query counts for nothing.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				good, err := p.Control(ctx)
				if err != nil {
					return err
				}
				for _, name := range []string{"access_token", "token"} {
					answer, err := p.Send(ctx, engine.Request{Query: url.Values{name: {good}}})
					if err != nil {
						return err
					}
					if answer.Status != http.StatusUnauthorized && answer.Status != http.StatusBadRequest {
						return p.Mismatch("status 401", fmt.Sprintf("status %d", answer.Status))
					}
				}
				return nil
			},
		},
	}
}

// accepted is the positive check: the control with its failure as the server's own.
func accepted(ctx context.Context, p *engine.Probe) error {
	good, err := p.Token(ctx, engine.Good)
	if err != nil {
		return err
	}
	answer, err := p.Send(ctx, engine.Request{Header: engine.Bearer(good)})
	if err != nil {
		return err
	}
	if p.Unspoken(answer) {
		return &engine.NotSpoken{Revision: p.Revision}
	}
	if !answer.Succeeded() {
		return p.Mismatch("status 200 with a JSON-RPC result", fmt.Sprintf("status %d", answer.Status))
	}
	return nil
}
