package checks

import (
	"context"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// An assertionFlaw makes a good assertion bad.
type assertionFlaw struct {
	name string
	edit func(made *bench.Assertion)
	// level replaces the level of the check.
	level check.Level
}

// flawsPerClient is how many bad assertions a client sends. A server may slow down one that sends
// more.
const flawsPerClient = 4

// refusesAssertions makes the Run of a check that wants flawed assertions refused. The stranger is
// a private key that no client has.
func refusesAssertions(
	flaws func(client *bench.KeyClient, stranger any) []assertionFlaw,
) func(ctx context.Context, p *bench.Probe) error {
	return func(ctx context.Context, p *bench.Probe) error {
		client, err := p.KeyClient(ctx)
		if err != nil {
			return err
		}
		stranger, err := bench.NewKey(client.Algorithm)
		if err != nil {
			return &check.CannotJudge{Reason: "no key can be made", Err: err}
		}
		var found []*check.Mismatch
		for i := range flaws(client, stranger) {
			if i > 0 && i%flawsPerClient == 0 {
				client, err = p.KeyClient(ctx)
				if err != nil {
					return err
				}
			}
			mismatch, err := tryAssertion(ctx, p, client, flaws(client, stranger)[i])
			if err != nil {
				return err
			}
			found = append(found, mismatch)
		}
		return refusals(ctx, p, client.Client, found...)
	}
}

// tryAssertion sends a flawed assertion with a good code, and wants it refused.
func tryAssertion(
	ctx context.Context, p *bench.Probe, client *bench.KeyClient, flaw assertionFlaw, changes ...bench.Change,
) (*check.Mismatch, error) {
	made, err := p.Approved(ctx, client.Client)
	if err != nil {
		return nil, err
	}
	assertion := client.Assertion()
	if flaw.edit != nil {
		flaw.edit(assertion)
	}
	text, err := assertion.Sign()
	if err != nil {
		return nil, &check.CannotJudge{Reason: "no assertion can be made with " + flaw.name, Err: err}
	}
	answer, tokens, err := p.RedeemWith(ctx, made, text, changes...)
	if err != nil {
		return nil, err
	}
	found := judgeRefusal(p, flaw.name, flaw.level, answer, tokens, assertionErrors...)
	if found != nil && flaw.level != "" {
		found.Level = flaw.level
	}
	return found, nil
}

// assertionErrors are the error codes for a bad assertion. RFC 7523 section 3.2 names the first.
var assertionErrors = []string{"invalid_client", "invalid_request", "invalid_grant", "unauthorized_client"}

// setClaim returns an edit that sets a claim. Nil leaves it out.
func setClaim(name string, value any) func(made *bench.Assertion) {
	return func(made *bench.Assertion) { made.Claims[name] = value }
}

// setTimes returns an edit that sets a claim with a time, and the expiry. Both are relative to now.
func setTimes(name string, at, expiry time.Duration) func(made *bench.Assertion) {
	return func(made *bench.Assertion) {
		made.Claims[name] = inSeconds(at)
		made.Claims["exp"] = inSeconds(expiry)
	}
}

// inSeconds returns a time relative to now, as claims have it.
func inSeconds(distance time.Duration) int64 { return time.Now().Add(distance).Unix() }

// audienceFlaws are assertions for another server, or for none.
func audienceFlaws(client *bench.KeyClient, _ any) []assertionFlaw {
	return []assertionFlaw{
		{name: "another server's issuer as audience", edit: setClaim("aud", "https://other.example")},
		{name: "an array with another server", edit: setClaim("aud", []string{"https://other.example"})},
		{name: "no audience", edit: setClaim("aud", nil)},
		{name: "an empty audience", edit: setClaim("aud", "")},
		{name: "an audience that begins with the right one", edit: setClaim("aud", client.Audience+".other.example")},
		{name: "the client as audience", edit: setClaim("aud", client.ID)},
	}
}

// sharedFlaws are assertions for several servers.
func sharedFlaws(client *bench.KeyClient, _ any) []assertionFlaw {
	both := []string{client.Audience, "https://other.example"}
	return []assertionFlaw{{name: "an audience of two servers", edit: setClaim("aud", both)}}
}

// expiryFlaws are assertions that are not valid now, or are valid forever.
func expiryFlaws(*bench.KeyClient, any) []assertionFlaw {
	return []assertionFlaw{
		{name: "an expiry an hour ago", edit: setTimes("iat", -2*time.Hour, -time.Hour)},
		{name: "no expiry", edit: setClaim("exp", nil)},
		{name: "an expiry that is not a number", edit: setClaim("exp", "never")},
		{name: "a start in an hour", edit: setTimes("nbf", time.Hour, time.Hour+time.Minute)},
	}
}

// lifetimeFlaws are assertions that are valid for years.
func lifetimeFlaws(*bench.KeyClient, any) []assertionFlaw {
	return []assertionFlaw{
		{name: "an expiry in ten years", edit: setClaim("exp", inSeconds(10*365*24*time.Hour))},
	}
}
