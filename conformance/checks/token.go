package checks

import (
	"context"
	"encoding/base64"
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
	refused := func(id, reference, sentence string, kind engine.TokenKind) engine.Check {
		return engine.Check{
			ID: "server/token/" + id, Role: engine.Server, Level: engine.Must, Reference: reference, Sentence: sentence, Needs: []engine.TokenKind{engine.Good, kind},
			Run: func(ctx context.Context, p *engine.Probe) error {
				if _, err := p.Control(ctx); err != nil {
					return err
				}
				bad, err := p.Token(ctx, kind)
				if err != nil {
					return err
				}
				_, err = p.WantRefused(ctx, engine.Request{Header: engine.Bearer(bad)})
				return err
			},
		}
	}
	changed := func(id, reference, sentence string, change func(good string) (string, error)) engine.Check {
		return engine.Check{
			ID: "server/token/" + id, Role: engine.Server, Level: engine.Must, Reference: reference, Sentence: sentence, Needs: []engine.TokenKind{engine.Good},
			Run: func(ctx context.Context, p *engine.Probe) error {
				good, err := p.Control(ctx)
				if err != nil {
					return err
				}
				bad, err := change(good)
				if err != nil {
					return err
				}
				_, err = p.WantRefused(ctx, engine.Request{Header: engine.Bearer(bad)})
				return err
			},
		}
	}
	audience := refused("foreign-audience", "MCP authorization, Token Audience Binding and Validation; RFC 8707 section 2",
		"A token that was issued for another resource is refused.", engine.ForeignAudience)
	audience.Revisions = withMetadata
	return []engine.Check{
		{
			ID: "server/token/accepted", Role: engine.Server, Level: engine.Must, EachRevision: true, Needs: []engine.TokenKind{engine.Good},
			Reference: "MCP authorization, Access Token Usage",
			Sentence:  "A request with a good token is served.",
			Run:       accepted,
		},
		{
			ID: "server/token/scheme-case", Role: engine.Server, Level: engine.Must, Needs: []engine.TokenKind{engine.Good},
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
		changed("garbage", "RFC 6750 section 3.1", "What is not a token is refused with 401.", func(string) (string, error) { return garbage, nil }),
		changed("tampered-signature", "RFC 8725 section 3.2", "A token whose signature does not fit is refused.", tamper),
		changed("no-algorithm", "RFC 8725 section 3.1 and 3.2", "A token that says it needs no signature (alg none) is refused.", stripSignature),
		refused("expired", "RFC 7519 section 4.1.4; MCP authorization, Token Handling", "A token that has expired is refused.", engine.Expired),
		refused("not-yet-valid", "RFC 7519 section 4.1.5", "A token that is not valid yet is refused.", engine.NotYetValid),
		audience,
		refused("foreign-issuer", "RFC 8725 section 3.8", "A token that names another issuer is refused, even with a good signature.", engine.ForeignIssuer),
		{
			ID: "server/token/in-query", Role: engine.Server, Level: engine.Must, Needs: []engine.TokenKind{engine.Good},
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

// tamper changes a token's signature. The first character of base64 always counts; the last may be padding.
func tamper(good string) (string, error) {
	cut := strings.LastIndexByte(good, '.')
	if cut < 0 || cut+1 == len(good) {
		return good[:max(0, len(good)-8)] + "AAAAAAAA", nil // an opaque token
	}
	other := byte('A')
	if good[cut+1] == other {
		other = 'B'
	}
	return good[:cut+1] + string(other) + good[cut+2:], nil
}

// stripSignature claims that the same payload needs no signature.
func stripSignature(good string) (string, error) {
	parts := strings.Split(good, ".")
	if len(parts) != 3 {
		return "", &engine.NotApplicable{Reason: "the good token is not a JWT, so no unsigned one can be made of it"}
	}
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"at+jwt"}`))
	return header + "." + parts[1] + ".", nil
}
