package checks

import (
	"context"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// documentAuthenticationChecks returns the checks of authorization-server/document: how a client
// with a document authenticates.
func documentAuthenticationChecks() []bench.Check {
	needs := []bench.Need{bench.Scripted, bench.DocumentHost}
	revisions := since(check.R20251125)
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/document/no-secret",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: revisions,
				Reference: documentDraft + "section 4.1",
				Sentence:  "A secret in a document authenticates no client.",
				Covers:    []string{"as-cimd-no-shared-secret", "AS-085"},
			},
			Needs: needs,
			Run:   documentNoSecret,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/document/private-key",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: revisions,
				Reference: documentDraft + "section 6.2; OAuth 2.1 draft-13 section 3.2.2",
				Sentence:  "A client whose document names private_key_jwt gets no tokens without an assertion.",
				Covers:    []string{"as-cimd-private-key-jwt"},
			},
			Needs: needs,
			Run:   documentPrivateKey,
		},
	}
}

// documentNoSecret tries authorization-server/document/no-secret.
func documentNoSecret(ctx context.Context, p *bench.Probe) error {
	if _, _, err := p.DocumentClient(ctx); err != nil {
		return err
	}
	const secret = "mcp-auth-conformance-secret"
	document := p.NewDocument(bench.GoodDocument(bench.Members{
		"token_endpoint_auth_method": "client_secret_basic",
		"client_secret":              secret,
	}))
	client := document.Client(bench.SiteRedirect)
	wrong := *client
	wrong.Secret = "not-the-secret"
	right := *client
	right.Secret = secret
	var issued []bool
	for _, presented := range []*bench.Client{&wrong, &right} {
		made, err := p.Authorize(ctx, client)
		if err != nil || made.Code() == "" {
			return err
		}
		_, tokens, err := p.Token(ctx, presented, made.CodeForm())
		if err != nil {
			return err
		}
		issued = append(issued, tokens != nil)
	}
	switch {
	case issued[1] && !issued[0]:
		return p.Insecure("no tokens for the secret in a document", "tokens")
	case issued[1]:
		return p.MismatchAt(check.Should, "a refusal of a document with a secret", "a client without authentication")
	}
	return nil
}

// documentPrivateKey tries authorization-server/document/private-key.
func documentPrivateKey(ctx context.Context, p *bench.Probe) error {
	if _, _, err := p.DocumentClient(ctx); err != nil {
		return err
	}
	metadata, err := p.Metadata(ctx)
	if err != nil {
		return err
	}
	document := p.NewDocument(bench.GoodDocument(bench.Members{
		"token_endpoint_auth_method": "private_key_jwt",
		"jwks": map[string]any{"keys": []any{map[string]any{
			"kty": "EC",
			"crv": "P-256",
			"x":   "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
			"y":   "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
		}}},
	}))
	made, err := p.Authorize(ctx, document.Client(bench.SiteRedirect))
	if err != nil || made.Code() == "" {
		return err
	}
	_, tokens, err := p.Redeem(ctx, made)
	if err != nil || tokens == nil {
		return err
	}
	want := "no tokens without an assertion"
	for _, method := range metadata.TokenAuthMethods {
		if method == "private_key_jwt" {
			return p.Insecure(want, "tokens")
		}
	}
	return p.MismatchAt(check.Should, want, "tokens")
}
