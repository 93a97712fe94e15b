package attack

import (
	"context"
	"fmt"
	"slices"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/inputs"
	"mcpentra/conformance/servers/internal/bench"
)

// A Forgery is a token that a server must refuse: a good one with one flaw.
type Forgery struct {
	Name string
	// Edits are made before the token is signed. Edits with a key or with the algorithm none need
	// no key of the issuer.
	Edits bench.Edits
	// Text changes the signed token.
	Text func(token string) string
	// Want are the conforming statuses. Nil means the check's.
	Want []int
	// Level of the rule that refuses this forgery. Empty means the check's.
	Level check.Level
	// Severity replaces the severity of the rule.
	Severity check.Severity
}

// longToken is in bytes. A server may close the connection while it receives a longer header than
// it accepts.
const longToken = 6 << 10

// RefusesForged makes the Run of a check that wants every forgery refused. The control shows that
// the original token is good.
func RefusesForged(want []int, forgeries func(jwt *JWT) []Forgery) func(ctx context.Context, p *bench.Probe) error {
	return WithJWT(func(ctx context.Context, p *bench.Probe, trial *bench.Trial, jwt *JWT) error {
		return TryForgeries(ctx, p, trial, want, forgeries(jwt))
	})
}

// TryForgeries wants every forgery refused. It reports every forgery that is not.
func TryForgeries(ctx context.Context, p *bench.Probe, trial *bench.Trial, want []int, forgeries []Forgery) error {
	if len(forgeries) == 0 {
		return &check.NotApplicable{Reason: "the good token has nothing to forge in this way"}
	}
	if slices.ContainsFunc(forgeries, func(forgery Forgery) bool { return forgery.needsIssuerKey() }) {
		if err := ControlMint(ctx, p, trial); err != nil {
			return err
		}
	}
	return inputs.TryAll(forgeries, func(forgery Forgery) error {
		return inputs.Graded(forgery.try(ctx, p, trial, want), forgery.Level, forgery.Severity)
	})
}

// try sends the forgery and wants it refused.
func (f *Forgery) try(ctx context.Context, p *bench.Probe, trial *bench.Trial, want []int) error {
	token, err := f.make(ctx, p, trial)
	if err != nil {
		return err
	}
	if f.Want != nil {
		want = f.Want
	}
	request := trial.Request()
	if len(token) > longToken {
		text := p.Wire(request, "Authorization: Bearer "+token)
		_, err = trial.WantRefusedRaw(ctx, f.Name, request, text, want...)
		return err
	}
	_, err = trial.WantRefused(ctx, f.Name, WithToken(token, request), want...)
	return err
}

func (f *Forgery) make(ctx context.Context, p *bench.Probe, trial *bench.Trial) (token string, err error) {
	switch {
	case f.hasNoEdits():
		token = trial.Token
	case f.needsIssuerKey():
		token, err = p.Mint(ctx, f.Edits)
		if err != nil {
			return "", err
		}
	default:
		good := func(context.Context) (string, error) { return trial.Token, nil }
		token, err = bench.Remint(nil, good)(ctx, f.Edits)
		if err != nil {
			return "", &check.CannotJudge{Reason: "the forgery cannot be made: " + f.Name, Err: err}
		}
	}
	if f.Text != nil {
		token = f.Text(token)
	}
	return token, nil
}

// needsIssuerKey reports whether the issuer's key signs the forgery.
func (f *Forgery) needsIssuerKey() bool {
	return !f.hasNoEdits() && f.Edits.Key == nil && f.Edits.Algorithm != "none"
}

func (f *Forgery) hasNoEdits() bool {
	e := &f.Edits
	hasKey := e.Algorithm != "" || e.Key != nil
	hasMembers := e.Header != nil || e.Claims != nil
	hasText := e.HeaderText != nil || e.ClaimsText != nil
	return !hasKey && !hasMembers && !hasText && e.Encoded == nil && e.Signature == nil
}

// ControlMint shows that a minted token without a flaw is served. If the mint had another key than
// the issuer, the server would refuse every forgery, and the check would say nothing.
func ControlMint(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	token, err := p.Mint(ctx, bench.Edits{})
	if err != nil {
		return err
	}
	answer, err := p.Send(ctx, WithToken(token, trial.Request()))
	if err == nil && !answer.Succeeded() {
		return &check.CannotJudge{
			Reason: fmt.Sprintf("the control failed: a minted token without a flaw is answered %d", answer.Status),
		}
	}
	return err
}
