package checks

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mcpentra/conformance/engine"
)

// challenge: what a server says to somebody without a good token (RFC 6750 section 3, RFC 9728 section 5.1, MCP authorization, Error Handling).
func challenge() []engine.Check {
	return []engine.Check{
		{
			ID: "server/challenge/without-token", Role: engine.Server, Level: engine.Must, EachRevision: true,
			Covers:    []string{"RS-001", "server-401-no-token", "server-auth-notifications", "server-authenticates-connections", "server-local-http-restricted", "server-elicitation-not-own-auth"},
			Reference: "MCP authorization, Token Handling; RFC 6750 section 3",
			Sentence:  "A request without a token is refused with 401, whatever its method.",
			Run:       withoutToken,
		},
		{
			ID: "server/challenge/bearer", Role: engine.Server, Level: engine.Must,
			Covers:    []string{"server-401-challenge-present", "server-401-bearer-scheme", "server-401-challenge-syntax"},
			Reference: "RFC 6750 section 3; RFC 9110 section 11.6.1",
			Sentence:  "A 401 carries a well-formed Bearer challenge with at least one parameter.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				_, _, err := bare(ctx, p)
				return err
			},
		},
		{
			ID: "server/challenge/resource-metadata", Role: engine.Server, Level: engine.Must, Revisions: []engine.Revision{engine.R20250618},
			Covers:    []string{"server-401-resource-metadata", "server-401-resource-metadata-resolves"},
			Reference: "RFC 9728 section 5.1; MCP 2025-06-18 authorization, Authorization Server Location",
			Sentence:  "The challenge of a 401 names the address of the protected resource metadata, and the document is there.",
			Run:       challengedMetadata,
		},
		{
			ID: "server/challenge/no-error-without-credentials", Role: engine.Server, Level: engine.Should,
			Covers:    []string{"server-401-no-error-without-credentials"},
			Reference: "RFC 6750 section 3.1",
			Sentence:  "The challenge to a request without credentials says nothing of an error.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				_, found, err := bare(ctx, p)
				if err == nil && found["error"] != "" {
					return p.Mismatch("no parameter error", found["error"])
				}
				return err
			},
		},
		{
			ID: "server/challenge/invalid-token", Role: engine.Server, Level: engine.Should, Needs: []engine.TokenKind{engine.Good},
			Covers:    []string{"server-401-error-invalid-token"},
			Reference: "RFC 6750 section 3.1",
			Sentence:  "The challenge to a request with a bad token says error=\"invalid_token\".",
			Run: func(ctx context.Context, p *engine.Probe) error {
				if _, err := p.Control(ctx); err != nil {
					return err
				}
				answer, err := p.WantRefused(ctx, engine.Request{Header: engine.Bearer(garbage)})
				if err != nil {
					return err
				}
				found, err := p.Challenge(answer)
				if err == nil && found["error"] != "invalid_token" {
					return p.Mismatch("error=\"invalid_token\"", fmt.Sprintf("%q", found["error"]))
				}
				return err
			},
		},
		{
			ID: "server/challenge/scope", Role: engine.Server, Level: engine.Should, Revisions: []engine.Revision{engine.R20251125, engine.R20260728},
			Covers:    []string{"server-401-scope", "server-prm-scopes-supported"},
			Reference: "MCP 2025-11-25 authorization, Protected Resource Metadata Discovery Requirements; RFC 6750 section 3",
			Sentence:  "The challenge of a 401 names the scopes that are needed.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				_, found, err := bare(ctx, p)
				if err == nil && strings.TrimSpace(found["scope"]) == "" {
					return p.Mismatch("a parameter scope", "none")
				}
				return err
			},
		},
		{
			ID: "server/challenge/no-offline-access", Role: engine.Server, Level: engine.Should, Revisions: []engine.Revision{engine.R20260728},
			Covers:    []string{"server-401-no-offline-access"},
			Reference: "MCP 2026-07-28 authorization, Refresh Tokens",
			Sentence:  "The challenge does not ask for offline_access: refresh tokens are between client and authorization server.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				_, found, err := bare(ctx, p)
				if err == nil && slices.Contains(strings.Fields(found["scope"]), "offline_access") {
					return p.Mismatch("a scope without offline_access", found["scope"])
				}
				return err
			},
		},
	}
}

// bare sends a request without credentials and returns its refusal.
func bare(ctx context.Context, p *engine.Probe) (*engine.Answer, engine.Challenge, error) {
	answer, err := p.WantRefused(ctx, engine.Request{})
	if err != nil {
		return nil, nil, err
	}
	found, err := p.Challenge(answer)
	return answer, found, err
}

func withoutToken(ctx context.Context, p *engine.Probe) error {
	if _, err := p.WantRefused(ctx, engine.Request{}); err != nil {
		return err
	}
	if p.Revision != engine.R20260728 {
		if _, err := p.WantRefused(ctx, p.Notification("notifications/initialized")); err != nil {
			return err
		}
	}
	for _, method := range []string{http.MethodGet, http.MethodDelete, http.MethodPut, http.MethodHead} {
		answer, err := p.Send(ctx, engine.Request{Method: method})
		if err != nil {
			return err
		}
		// A method that the endpoint does not have may be refused before anybody asks for a token.
		if answer.Status != http.StatusUnauthorized && answer.Status != http.StatusMethodNotAllowed {
			return p.Mismatch("status 401, or 405 for a method that is not there", fmt.Sprintf("status %d to %s", answer.Status, method))
		}
	}
	return nil
}

func challengedMetadata(ctx context.Context, p *engine.Probe) error {
	_, found, err := bare(ctx, p)
	if err != nil {
		return err
	}
	address, err := url.Parse(found["resource_metadata"])
	if err != nil || address.Scheme == "" || address.Host == "" {
		return p.Mismatch("a parameter resource_metadata with an absolute URL", fmt.Sprintf("%q", found["resource_metadata"]))
	}
	var document struct {
		Resource string `json:"resource"`
	}
	if _, err := p.JSON(ctx, address.String(), &document); err != nil {
		return err
	}
	if document.Resource == "" {
		return p.Mismatch("a document with the member resource", "one without")
	}
	return nil
}
