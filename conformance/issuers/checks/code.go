package checks

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// codeChecks returns the checks of authorization-server/code: the authorization code.
func codeChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/code/single-use",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "OAuth 2.1 draft-13 section 4.1.3",
				Sentence:  "A code is redeemed once.",
				Covers:    []string{"as-code-single-use", "AS-050", "server-legacy-oauth21"},
			},
			Needs: []bench.Need{bench.SignIn},
			Run:   codeSingleUse,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/code/race",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "OAuth 2.1 draft-13 section 4.1.3",
				Sentence:  "Of several redemptions at the same time, at most one succeeds.",
				Covers:    []string{"as-code-single-use", "AS-051"},
			},
			Needs: []bench.Need{bench.SignIn},
			Run:   codeRace,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/code/replay-ends-grant",
				Level:     check.Should,
				Severity:  check.High,
				Reference: "OAuth 2.1 draft-13 sections 4.1.3 and 7.5.3; RFC 6749 section 4.1.2",
				Sentence:  "A second redemption of a code ends the grant.",
				Covers:    []string{"as-code-reuse-revokes", "AS-050"},
			},
			Needs: []bench.Need{bench.SignIn},
			Run:   codeReplayEndsGrant,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/code/failed-replay",
				Level:     check.Should,
				Severity:  check.Medium,
				Reference: "OAuth 2.1 draft-13 section 7.5.3",
				Sentence:  "A replay without the right verifier does not end the grant.",
				Covers:    []string{"as-code-replay-invalid-harmless", "AS-050"},
			},
			Needs: []bench.Need{bench.SignIn},
			Run:   codeFailedReplay,
		},
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

// codeSingleUse tries authorization-server/code/single-use.
func codeSingleUse(ctx context.Context, p *bench.Probe) error {
	client, err := p.Public(ctx)
	if err != nil {
		return err
	}
	made, err := p.Approved(ctx, client)
	if err != nil {
		return err
	}
	if _, err := p.Redeemed(ctx, made); err != nil {
		return err
	}
	answer, tokens, err := p.Redeem(ctx, made)
	if err != nil {
		return err
	}
	return bench.All(judgeRefusal(p, "a code for the second time", "", answer, tokens, "invalid_grant"))
}

// Rounds of a race, and redemptions in each round.
const (
	raceRounds = 3
	racers     = 8
)

// codeRace tries authorization-server/code/race. No success at all is detection of a replay.
func codeRace(ctx context.Context, p *bench.Probe) error {
	client, err := p.Public(ctx)
	if err != nil {
		return err
	}
	if _, err := p.Granted(ctx, client); err != nil {
		return err
	}
	for range raceRounds {
		made, err := p.Approved(ctx, client)
		if err != nil {
			return err
		}
		won := make([]bool, racers)
		var group errgroup.Group
		for i := range racers {
			racer := p.Clone()
			group.Go(func() error {
				_, tokens, err := racer.Redeem(ctx, made)
				won[i] = tokens != nil
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
		count := 0
		for _, one := range won {
			if one {
				count++
			}
		}
		if count > 1 {
			return p.Insecure("at most one redemption", fmt.Sprintf("%d of %d at the same time", count, racers))
		}
	}
	return nil
}

// codeReplayEndsGrant tries authorization-server/code/replay-ends-grant.
func codeReplayEndsGrant(ctx context.Context, p *bench.Probe) error {
	client, made, tokens, err := redeemedCode(ctx, p)
	if err != nil {
		return err
	}
	answer, again, err := p.Redeem(ctx, made)
	if err != nil {
		return err
	}
	if again != nil {
		return &check.NotApplicable{Reason: "the server redeems a code twice"}
	}
	if answer.Status/100 != 4 {
		return &check.CannotJudge{Reason: "a replay is answered with " + answer.String()}
	}
	_, refreshed, err := p.Refresh(ctx, client, tokens.Refresh)
	if err == nil && refreshed != nil {
		return p.Insecure("a refusal of the refresh token after a replay of its code", "tokens")
	}
	return err
}

// redeemedCode returns a client, its authorization, and tokens with a refresh token.
func redeemedCode(ctx context.Context, p *bench.Probe) (*bench.Client, *bench.Authorization, *bench.Tokens, error) {
	client, err := p.Public(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	// The control: the refresh token of another grant works.
	other, err := p.WithRefresh(ctx, client)
	if err != nil {
		return nil, nil, nil, err
	}
	answer, refreshed, err := p.Refresh(ctx, client, other.Refresh)
	if err != nil {
		return nil, nil, nil, err
	}
	if refreshed == nil {
		reason := "the control failed: a refresh is answered with " + answer.String()
		return nil, nil, nil, &check.CannotJudge{Reason: reason}
	}
	made, err := p.Approved(ctx, client)
	if err != nil {
		return nil, nil, nil, err
	}
	tokens, err := p.Redeemed(ctx, made)
	return client, made, tokens, err
}

// codeFailedReplay tries authorization-server/code/failed-replay.
func codeFailedReplay(ctx context.Context, p *bench.Probe) error {
	client, made, tokens, err := redeemedCode(ctx, p)
	if err != nil {
		return err
	}
	_, again, err := p.Redeem(ctx, made, bench.Set("code_verifier", otherVerifier))
	if err != nil {
		return err
	}
	if again != nil {
		return &check.NotApplicable{Reason: "the server accepts a wrong verifier"}
	}
	answer, refreshed, err := p.Refresh(ctx, client, tokens.Refresh)
	if err == nil && refreshed == nil {
		return p.Mismatch("a refresh after a replay without the right verifier", answer.String())
	}
	return err
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
	return bench.All(judgeRefusal(p, "another client's code", "", answer, tokens,
		"invalid_grant", "invalid_client", "invalid_request", "unauthorized_client"))
}

// codeRedirect tries authorization-server/code/redirect.
func codeRedirect(ctx context.Context, p *bench.Probe) error {
	client, err := p.Public(ctx)
	if err != nil {
		return err
	}
	if _, err := p.Granted(ctx, client); err != nil {
		return err
	}
	return refuseCodes(ctx, p, client, []string{"invalid_grant", "invalid_request"}, []tokenVector{
		{"another redirect_uri", bench.Set("redirect_uri", "https://evil.example/callback"), ""},
	})
}

// codeExpires tries authorization-server/code/expires.
func codeExpires(ctx context.Context, p *bench.Probe) error {
	client, err := p.Public(ctx)
	if err != nil {
		return err
	}
	if _, err := p.Granted(ctx, client); err != nil {
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
