package checks

import (
	"context"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/inputs"
	"mcpentra/conformance/issuers/internal/bench"
)

// refreshChecks returns the checks of authorization-server/refresh: refresh tokens.
func refreshChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/refresh/client",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 6749 sections 6 and 10.4",
				Sentence:  "A refresh token works only for its client.",
				Covers:    []string{"as-refresh-bound-to-client", "AS-055"},
			},
			Needs: []bench.Need{bench.SignIn},
			Run:   refreshClient,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/refresh/secret",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 6749 section 6",
				Sentence:  "A client with a secret authenticates when it refreshes.",
				Covers:    []string{"as-refresh-bound-to-client"},
			},
			Needs: []bench.Need{bench.SignIn},
			Run:   refreshSecret,
		},
	}
}

// refreshClient uses a refresh token as another client.
func refreshClient(ctx context.Context, p *bench.Probe) error {
	client, err := p.Public(ctx)
	if err != nil {
		return err
	}
	other, err := p.Second(ctx)
	if err != nil {
		return err
	}
	if _, err := p.ControlRefresh(ctx, client); err != nil {
		return err
	}
	tokens, err := p.WithRefresh(ctx, client)
	if err != nil {
		return err
	}
	answer, stolen, err := p.Refresh(ctx, other, tokens.Refresh)
	return refusedRefresh(p, answer, stolen, err, "a refresh token of another client")
}

// refusedRefresh wants a refresh refused with 400 or 401.
func refusedRefresh(p *bench.Probe, answer *bench.Answer, tokens *bench.Tokens, err error, what string) error {
	switch {
	case err != nil:
		return err
	case tokens != nil:
		return p.Insecure("no tokens for "+what, "tokens")
	case answer.Status != 400 && answer.Status != 401:
		return p.MismatchAt(check.Should, "status 400 or 401 to "+what, answer.String())
	}
	return nil
}

// refreshSecret refreshes as a client with a secret, with a wrong one and without one.
func refreshSecret(ctx context.Context, p *bench.Probe) error {
	client, err := p.Confidential(ctx)
	if err != nil {
		return err
	}
	if _, err := p.ControlRefresh(ctx, client); err != nil {
		return err
	}
	wrong := *client
	wrong.Secret = "wrong-" + client.Secret
	without := *client
	without.Secret = ""
	type attempt struct {
		name   string
		client bench.Client
	}
	return inputs.TryAll([]attempt{{"a wrong secret", wrong}, {"no secret", without}}, func(a attempt) error {
		tokens, err := p.WithRefresh(ctx, client)
		if err != nil {
			return err
		}
		answer, stolen, err := p.Refresh(ctx, &a.client, tokens.Refresh)
		return refusedRefresh(p, answer, stolen, err, "a refresh with "+a.name)
	})
}
