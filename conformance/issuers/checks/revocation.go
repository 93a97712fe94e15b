package checks

import (
	"context"
	"net/url"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/inputs"
	"mcpentra/conformance/issuers/internal/bench"
)

// revocationChecks returns the checks of authorization-server/revocation (RFC 7009).
func revocationChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/revocation/effective",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "RFC 7009 sections 2 and 2.1; RFC 6749 section 6",
				Sentence:  "A revoked refresh token does not work, whichever hint came with it.",
				Covers:    []string{"as-refresh-grant-active", "AS-055", "AS-061"},
			},
			Needs: []bench.Need{bench.SignIn},
			Run:   revocationEffective,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/revocation/client",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "RFC 7009 section 2.1",
				Sentence:  "A client cannot revoke the token of another client.",
				Covers:    []string{"AS-061"},
			},
			Needs: []bench.Need{bench.SignIn},
			Run:   revocationClient,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/revocation/unknown-token",
				Level:     check.Must,
				Reference: "RFC 7009 section 2.2",
				Sentence:  "A revocation of an unknown token is answered with 200.",
				Covers:    []string{"AS-061"},
			},
			Run: revocationUnknownToken,
		},
	}
}

// revoke revokes a token as a client. The check does not apply without a revocation endpoint.
func revoke(
	ctx context.Context, p *bench.Probe, client *bench.Client, token, hint string,
) (*bench.Answer, error) {
	metadata, err := p.Metadata(ctx)
	if err != nil {
		return nil, err
	}
	if metadata.RevocationEndpoint == "" {
		return nil, &check.NotApplicable{Reason: "the metadata names no revocation endpoint"}
	}
	form := url.Values{"token": {token}}
	if hint != "" {
		form.Set("token_type_hint", hint)
	}
	answer, err := p.Send(ctx, p.Authenticated(metadata.RevocationEndpoint, client, form))
	if err == nil && answer.IsBusy() {
		return nil, &check.CannotJudge{Reason: "the server is busy: " + answer.String()}
	}
	return answer, err
}

// revocationEffective revokes a refresh token, and uses it.
func revocationEffective(ctx context.Context, p *bench.Probe) error {
	client, err := p.Public(ctx)
	if err != nil {
		return err
	}
	hints := []string{"", "refresh_token", "access_token", "unknown"}
	return inputs.TryAll(hints, func(hint string) error {
		tokens, err := p.WithRefresh(ctx, client)
		if err != nil {
			return err
		}
		answer, err := revoke(ctx, p, client, tokens.Refresh, hint)
		switch {
		case err != nil:
			return err
		case answer.ErrorCode() == "unsupported_token_type":
			return &check.NotApplicable{Reason: "the server cannot revoke refresh tokens"}
		case answer.Status != 200:
			return p.Mismatch("status 200 to a revocation with the hint "+quoted(hint), answer.String())
		}
		_, again, err := p.Refresh(ctx, client, tokens.Refresh)
		if err != nil || again == nil {
			return err
		}
		return p.Insecure("no tokens for a token that was revoked with the hint "+quoted(hint), "tokens")
	})
}

func quoted(text string) string { return `"` + text + `"` }

// revocationClient revokes a token as another client, and uses it.
func revocationClient(ctx context.Context, p *bench.Probe) error {
	client, err := p.Public(ctx)
	if err != nil {
		return err
	}
	other, err := p.Second(ctx)
	if err != nil {
		return err
	}
	tokens, err := p.WithRefresh(ctx, client)
	if err != nil {
		return err
	}
	if _, err := revoke(ctx, p, other, tokens.Refresh, "refresh_token"); err != nil {
		return err
	}
	answer, again, err := p.Refresh(ctx, client, tokens.Refresh)
	if err == nil && again == nil {
		return p.Insecure("tokens, after another client tried to revoke the refresh token", answer.String())
	}
	return err
}

// revocationUnknownToken revokes a token that does not exist.
func revocationUnknownToken(ctx context.Context, p *bench.Probe) error {
	client, err := p.Public(ctx)
	if err != nil {
		return err
	}
	answer, err := revoke(ctx, p, client, "a-token-that-does-not-exist", "")
	if err == nil && answer.Status != 200 {
		return p.Mismatch("status 200", answer.String())
	}
	return err
}
