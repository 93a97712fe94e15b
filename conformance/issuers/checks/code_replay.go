package checks

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// codeReplayChecks returns the checks of authorization-server/code: codes that come again.
func codeReplayChecks() []bench.Check {
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
	}
}

// codeSingleUse tries authorization-server/code/single-use.
func codeSingleUse(ctx context.Context, p *bench.Probe) error {
	made, err := p.PublicApproved(ctx)
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
	mismatch := judgeRefusal(p, "a code for the second time", "", answer, tokens, "invalid_grant")
	return refusals(ctx, p, made.Client, mismatch)
}

// Rounds of a race, and redemptions in each round.
const (
	raceRounds = 3
	racers     = 8
)

// codeRace tries authorization-server/code/race. No success at all is detection of a replay.
func codeRace(ctx context.Context, p *bench.Probe) error {
	client, _, err := p.PublicGranted(ctx)
	if err != nil {
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
	made, tokens, err := redeemedCode(ctx, p)
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
	_, refreshed, err := p.Refresh(ctx, made.Client, tokens.Refresh)
	if err == nil && refreshed != nil {
		return p.Insecure("a refusal of the refresh token after a replay of its code", "tokens")
	}
	return err
}

// redeemedCode returns an authorization of a public client, and tokens with a refresh token.
func redeemedCode(ctx context.Context, p *bench.Probe) (*bench.Authorization, *bench.Tokens, error) {
	client, err := p.Public(ctx)
	if err != nil {
		return nil, nil, err
	}
	if _, err := p.ControlRefresh(ctx, client); err != nil {
		return nil, nil, err
	}
	made, err := p.Approved(ctx, client)
	if err != nil {
		return nil, nil, err
	}
	tokens, err := p.Redeemed(ctx, made)
	return made, tokens, err
}

// codeFailedReplay tries authorization-server/code/failed-replay.
func codeFailedReplay(ctx context.Context, p *bench.Probe) error {
	made, tokens, err := redeemedCode(ctx, p)
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
	answer, refreshed, err := p.Refresh(ctx, made.Client, tokens.Refresh)
	if err == nil && refreshed == nil {
		return p.Mismatch("a refresh after a replay without the right verifier", answer.String())
	}
	return err
}
