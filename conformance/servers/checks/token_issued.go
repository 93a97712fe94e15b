package checks

import (
	"context"
	"errors"
	"net/http"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/inputs"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// tokenIssuedChecks returns the checks of server/token about other tokens of the same sign-in. They
// are genuine, so they need no key of the issuer.
func tokenIssuedChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/token/refresh-token",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "OAuth 2.1 sections 1.3.2 and 5.2; MCP authorization, Token Handling",
				Sentence:  "A refresh token is refused as an access token.",
				Covers:    []string{"RS-047"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.RefreshToken},
			Run:    attack.WithTrial(tokenRefreshToken),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/issued-id-token",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "OAuth 2.1 section 5.2; RFC 8725 sections 2.8 and 3.12; RFC 9068 section 5",
				Sentence:  "The ID token of a sign-in is refused as an access token.",
				Covers:    []string{"RS-046", "server-401-id-token"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.IDToken},
			Run:    attack.WithTrial(tokenIssuedIDToken),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/revoked",
				Level:     check.Should,
				Severity:  check.High,
				Reference: "RFC 7009 section 2; RFC 7662 section 2.2; RFC 6750 section 3.1",
				Sentence: "A token that was revoked is refused. A JWT needs no question to its issuer, so a " +
					"server that accepts it breaks only a policy.",
			},
			Tokens: []bench.TokenKind{bench.Good, bench.Revoked},
			Run:    attack.WithTrial(tokenRevoked),
		},
	}
}

// tokenRefreshToken tries server/token/refresh-token.
func tokenRefreshToken(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	return wantKindUnused(ctx, p, trial, bench.RefreshToken)
}

// tokenIssuedIDToken tries server/token/issued-id-token.
func tokenIssuedIDToken(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	return wantKindUnused(ctx, p, trial, bench.IDToken)
}

// tokenRevoked tries server/token/revoked.
func tokenRevoked(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	err := wantKindUnused(ctx, p, trial, bench.Revoked)
	if _, opaque := attack.ParseJWT(trial.Token); opaque == nil {
		return atLevel(err, check.Policy, check.Medium)
	}
	return err
}

// wantKindUnused wants a token of a kind to have no effect, in each place where the server could
// read it in another way. Other checks judge the form of a refusal.
func wantKindUnused(ctx context.Context, p *bench.Probe, trial *bench.Trial, kind bench.TokenKind) error {
	token, err := p.Token(ctx, kind)
	if err != nil {
		return err
	}
	if token == trial.Token {
		return &check.NotApplicable{Reason: "the good token is of the kind: " + string(kind)}
	}
	requests := []namedRequest{
		{"a call", attack.WithToken(token, trial.Request())},
		{"the first message", bench.Request{Header: bench.Bearer(token)}},
		{"a list of tools", attack.WithToken(token, trial.Session.Message("tools/list", nil))},
		{"a stream", attack.StreamRequest(trial.Session, token)},
	}
	return inputs.TryAll(requests, func(try namedRequest) error {
		name := "a token of the kind " + string(kind) + " in " + try.name
		answer, err := trial.WantRefused(ctx, name, try.request, bench.AnyRefusal()...)
		mismatch := (*check.Mismatch)(nil)
		isRefusal := answer != nil && answer.Status >= http.StatusMultipleChoices
		if errors.As(err, &mismatch) && !mismatch.Insecure && isRefusal {
			return nil
		}
		return err
	})
}
