package checks

import (
	"context"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// severalResourcesChecks returns the checks of authorization-server/resource for servers that issue
// tokens for several resources.
func severalResourcesChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/resource/several",
				Level:     check.Should,
				Reference: "RFC 8707 section 2",
				Sentence:  "A request for two resources gets a code, or is refused with invalid_target.",
				Covers:    []string{"as-resource-invalid-target"},
			},
			Needs: []bench.Need{bench.Scripted, bench.Resource, bench.Another},
			Run:   resourceSeveral,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/resource/other-code",
				Level:     check.Should,
				Severity:  check.High,
				Reference: "RFC 8707 section 2.2",
				Sentence:  "A code for one resource gives no token for another resource of the server.",
				Covers:    []string{"as-resource-invalid-target", "as-audience-restricted"},
			},
			Needs: []bench.Need{bench.SignIn, bench.Resource, bench.Another},
			Run:   resourceOtherCode,
		},
	}
}

// eachResourceWorks checks that the server issues a code for each of the target's two resources.
func eachResourceWorks(ctx context.Context, p *bench.Probe, client *bench.Client) error {
	for _, resource := range []string{p.Target().Resource, p.Target().OtherResource} {
		made, err := p.Authorize(ctx, client, bench.Set("resource", resource))
		if err != nil {
			return err
		}
		if made.Code() == "" {
			return made.CannotJudge("a request for " + resource + " ends with " + made.String())
		}
	}
	return nil
}

// resourceSeveral tries authorization-server/resource/several. A client may repeat the parameter,
// so the refusal of repeated parameters does not count for it.
func resourceSeveral(ctx context.Context, p *bench.Probe) error {
	client, err := p.Public(ctx)
	if err != nil {
		return err
	}
	if err := eachResourceWorks(ctx, p, client); err != nil {
		return err
	}
	made, err := p.Authorize(ctx, client, bench.Set("resource", p.Target().Resource, p.Target().OtherResource))
	if err != nil {
		return err
	}
	if made.Code() == "" && made.Response.Get("error") != "invalid_target" {
		return p.Mismatch("a code or error=invalid_target for two resources", made.String())
	}
	return nil
}

// resourceOtherCode tries authorization-server/resource/other-code. A token that does not show its
// audience cannot be judged.
func resourceOtherCode(ctx context.Context, p *bench.Probe) error {
	client, err := p.Public(ctx)
	if err != nil {
		return err
	}
	if err := eachResourceWorks(ctx, p, client); err != nil {
		return err
	}
	made, err := p.Approved(ctx, client, bench.Set("resource", p.Target().Resource))
	if err != nil {
		return err
	}
	other := p.Target().OtherResource
	_, tokens, err := p.Redeem(ctx, made, bench.Set("resource", other))
	if err != nil || tokens == nil {
		return err
	}
	audience, isShown := claimsOf(tokens.Access)["aud"]
	switch {
	case !isShown:
		return &check.NotApplicable{Reason: "the token does not show its audience"}
	case isFor(audience, other):
		return p.Insecure("no token for a resource that was not authorized", "a token for it")
	}
	return nil
}
