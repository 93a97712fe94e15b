package checks

import (
	"context"
	"fmt"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// codeChecks returns the checks of authorization-server/code: the authorization code.
func codeChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/code/client",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "OAuth 2.1 draft-13 section 4.1.3",
				Sentence:  "A code is redeemed only by the client that it was issued to.",
				Covers:    []string{"as-code-bound", "AS-052"},
			},
			Needs: []bench.Need{bench.SignIn},
			Run:   codeClient,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/code/redirect",
				Level:     check.Should,
				Severity:  check.Medium,
				Reference: "RFC 6749 section 4.1.3; OAuth 2.1 draft-13 section 10.2",
				Sentence:  "A code is not redeemed with another redirect URI.",
				Covers:    []string{"as-code-bound", "AS-052"},
			},
			Needs: []bench.Need{bench.SignIn},
			Run:   codeRedirect,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/code/expires",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "OAuth 2.1 draft-13 section 4.1.2",
				Sentence:  "A code expires within ten minutes, and in any case within an hour.",
				Covers:    []string{"as-code-short-lived", "AS-052"},
			},
			Needs: []bench.Need{bench.SignIn, bench.Clock},
			Run:   codeExpires,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/code/unguessable",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "OAuth 2.1 draft-13 section 7.7; RFC 6749 section 10.10",
				Sentence:  "Codes and secrets have room for 128 bits, and differ in more than a counter.",
				Covers:    []string{"as-credentials-unguessable", "AS-058"},
			},
			Needs: []bench.Need{bench.Scripted},
			Run:   codeUnguessable,
		},
	}
}

// otherVerifier is a well-formed verifier that belongs to no challenge.
const otherVerifier = "mcp-auth-conformance-verifier-of-no-challenge-at-all"

// codeClient tries authorization-server/code/client.
func codeClient(ctx context.Context, p *bench.Probe) error {
	client, err := p.Public(ctx)
	if err != nil {
		return err
	}
	other, err := p.Second(ctx)
	if err != nil {
		return err
	}
	for _, control := range []*bench.Client{client, other} {
		if _, err := p.Granted(ctx, control); err != nil {
			return err
		}
	}
	made, err := p.Approved(ctx, client)
	if err != nil {
		return err
	}
	answer, tokens, err := p.Token(ctx, other, made.CodeForm())
	if err != nil {
		return err
	}
	return refusals(ctx, p, client, judgeRefusal(p, "another client's code", "", answer, tokens,
		"invalid_grant", "invalid_client", "invalid_request", "unauthorized_client"))
}

// codeRedirect tries authorization-server/code/redirect.
func codeRedirect(ctx context.Context, p *bench.Probe) error {
	client, _, err := p.PublicGranted(ctx)
	if err != nil {
		return err
	}
	return refuseCodes(ctx, p, client, []string{"invalid_grant", "invalid_request"}, []tokenVector{
		{"another redirect_uri", bench.Set("redirect_uri", "https://evil.example/callback"), ""},
	})
}

// codeExpires tries authorization-server/code/expires.
func codeExpires(ctx context.Context, p *bench.Probe) error {
	client, _, err := p.PublicGranted(ctx)
	if err != nil {
		return err
	}
	for _, late := range []struct {
		after time.Duration
		level check.Level
	}{
		{time.Hour + time.Minute, check.Must},
		{11 * time.Minute, check.Should},
	} {
		made, err := p.Approved(ctx, client)
		if err != nil {
			return err
		}
		p.Target().Advance(late.after)
		_, tokens, err := p.Redeem(ctx, made)
		if err != nil {
			return err
		}
		if tokens != nil {
			mismatch := p.Insecure(fmt.Sprintf("a refusal of a code after %v", late.after), "tokens")
			mismatch.Level = late.level
			return mismatch
		}
	}
	return nil
}

// samples is how many codes are compared.
const samples = 6

// codeUnguessable tries authorization-server/code/unguessable.
func codeUnguessable(ctx context.Context, p *bench.Probe) error {
	client, err := p.Public(ctx)
	if err != nil {
		return err
	}
	var codes []string
	for range samples {
		made, err := p.Approved(ctx, client)
		if err != nil {
			return err
		}
		codes = append(codes, made.Code())
	}
	return bench.All(judgeRandom(p, "codes", codes))
}

// minVarying is how many characters differ between two random values with 128 bits, even if the
// alphabet has only 16 characters and some are equal by chance.
const minVarying = 16

// judgeRandom wants values to be long enough, and to differ in many places.
func judgeRandom(p *bench.Probe, name string, values []string) *check.Mismatch {
	for i, value := range values {
		if len(value) < 22 { // 128 bits in base64url
			return p.Insecure(name+" with room for 128 bits", fmt.Sprintf("%d characters", len(value)))
		}
		for _, other := range values[:i] {
			if varying := differences(value, other); varying < minVarying {
				return p.Insecure(name+" that differ at random", fmt.Sprintf("two that differ in %d places", varying))
			}
		}
	}
	return nil
}

// differences counts the places where two texts differ.
func differences(a, b string) int {
	count := max(len(a), len(b)) - min(len(a), len(b))
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			count++
		}
	}
	return count
}
