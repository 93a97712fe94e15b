package checks

import (
	"context"
	"errors"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// assertionAccepted tries authorization-server/assertion/accepted.
func assertionAccepted(ctx context.Context, p *bench.Probe) error {
	isAccepted, answer, err := p.AcceptsAssertions(ctx)
	if err != nil || isAccepted {
		return err
	}
	// The fault may be elsewhere in the flow. A server may have no public clients, though.
	_, _, err = p.PublicGranted(ctx)
	var noPublic *check.NotApplicable
	if err != nil && !errors.As(err, &noPublic) {
		return err
	}
	return p.Mismatch("tokens for an assertion, as advertised", answer.String())
}

// assertionRequired tries authorization-server/assertion/required.
func assertionRequired(ctx context.Context, p *bench.Probe) error {
	client, err := p.KeyClient(ctx)
	if err != nil {
		return err
	}
	var found []*check.Mismatch
	for name, change := range map[string]bench.Change{
		"no assertion":           bench.Without("client_assertion", "client_assertion_type"),
		"an empty assertion":     bench.Set("client_assertion", ""),
		"another assertion type": bench.Set("client_assertion_type", "urn:example:mcp-auth-conformance"),
	} {
		mismatch, err := tryAssertion(ctx, p, client, assertionFlaw{name: name}, change)
		if err != nil {
			return err
		}
		found = append(found, mismatch)
	}
	return refusals(ctx, p, client.Client, found...)
}

// assertionClient tries authorization-server/assertion/client. The attacker has a client of its
// own, and wants to redeem the code of the other.
func assertionClient(ctx context.Context, p *bench.Probe) error {
	client, err := p.KeyClient(ctx)
	if err != nil {
		return err
	}
	attacker, err := p.AttackerOf(ctx, client)
	if err != nil {
		return err
	}
	ofAttacker := func(claims ...string) func(made *bench.Assertion) {
		return func(made *bench.Assertion) {
			made.Algorithm = attacker.Algorithm
			made.Key = attacker.Key
			made.Header["kid"] = attacker.KeyID
			for _, name := range claims {
				made.Claims[name] = attacker.ID
			}
		}
	}
	var found []*check.Mismatch
	for i, flaw := range []assertionFlaw{
		{name: "the attacker's own assertion", edit: ofAttacker("iss", "sub")},
		{name: "the attacker's key", edit: ofAttacker()},
		{name: "the attacker as issuer", edit: ofAttacker("iss")},
		{name: "the attacker as subject", edit: ofAttacker("sub")},
		{name: "another issuer", edit: setClaim("iss", "https://other.example")},
		{name: "no issuer", edit: setClaim("iss", nil)},
		{name: "no subject", edit: setClaim("sub", nil)},
	} {
		if i == flawsPerClient {
			client, err = p.KeyClient(ctx)
			if err != nil {
				return err
			}
		}
		mismatch, err := tryAssertion(ctx, p, client, flaw)
		if err != nil {
			return err
		}
		found = append(found, mismatch)
	}
	return refusals(ctx, p, client.Client, found...)
}

// assertionReplay tries authorization-server/assertion/replay. The second code is another one.
func assertionReplay(ctx context.Context, p *bench.Probe) error {
	client, err := p.KeyClient(ctx)
	if err != nil {
		return err
	}
	text, err := client.Assertion().Sign()
	if err != nil {
		return &check.CannotJudge{Reason: "no assertion can be made", Err: err}
	}
	for _, isFirst := range []bool{true, false} {
		made, err := p.Approved(ctx, client.Client)
		if err != nil {
			return err
		}
		answer, tokens, err := p.RedeemWith(ctx, made, text)
		switch {
		case err != nil:
			return err
		case isFirst && tokens == nil:
			reason := "the control failed: a good assertion is answered with " + answer.String()
			return &check.CannotJudge{Reason: reason}
		case !isFirst && tokens != nil:
			return p.Insecure("a refusal of an assertion that was used", "tokens")
		}
	}
	return nil
}
