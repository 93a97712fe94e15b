package checks

import (
	"context"
	"net/url"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// resourceChecks returns the checks of authorization-server/resource: resource indicators (RFC
// 8707).
func resourceChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/resource/tolerated",
				Level:     check.Should,
				Reference: "MCP authorization, Resource Parameter Implementation; RFC 8707 section 2",
				Sentence:  "A client that sends resource gets tokens, and can refresh them.",
				Covers:    []string{"as-resource-tolerated"},
			},
			Needs: []bench.Need{bench.SignIn, bench.Resource},
			Run:   resourceTolerated,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/resource/invalid-target",
				Level:     check.Should,
				Severity:  check.High,
				Reference: "RFC 8707 section 2",
				Sentence:  "A resource that the server does not accept is refused with invalid_target.",
				Covers:    []string{"as-resource-invalid-target", "AS-027"},
			},
			Needs: []bench.Need{bench.Scripted, bench.Resource},
			Run:   resourceInvalidTarget,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/resource/token-request",
				Level:     check.Should,
				Severity:  check.High,
				Reference: "RFC 8707 section 2.2",
				Sentence:  "A token request for a resource that was not authorized is refused with invalid_target.",
				Covers:    []string{"as-resource-invalid-target", "AS-052"},
			},
			Needs: []bench.Need{bench.SignIn, bench.Resource},
			Run:   resourceTokenRequest,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/resource/case",
				Level:     check.Should,
				Reference: "MCP authorization, Canonical Server URI; RFC 3986 section 6.2.2.1",
				Sentence:  "The scheme and host of a resource may be in upper case.",
				Covers:    []string{"as-resource-case-tolerant", "AS-027"},
			},
			Needs: []bench.Need{bench.SignIn, bench.Resource},
			Run:   resourceCase,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/resource/audience",
				Level:     check.Should,
				Severity:  check.High,
				Reference: "RFC 8707 section 2; OAuth 2.1 draft-13 section 7.1.3.6",
				Sentence:  "An access token has the audience of the resource that it was issued for.",
				Covers:    []string{"as-audience-restricted"},
			},
			Needs: []bench.Need{bench.SignIn, bench.Resource},
			Run:   resourceAudience,
		},
	}
}

// foreignResource is a resource that no authorization server has.
const foreignResource = "https://mcp-auth-conformance.example/mcp"

// resourceTolerated tries authorization-server/resource/tolerated.
func resourceTolerated(ctx context.Context, p *bench.Probe) error {
	client, err := p.Public(ctx)
	if err != nil {
		return err
	}
	made, err := p.Authorize(ctx, client)
	if err != nil {
		return err
	}
	if made.Code() == "" {
		without, err := p.Authorize(ctx, client, bench.Without("resource"))
		if err != nil {
			return err
		}
		if without.Code() == "" {
			return without.CannotJudge("a request without resource ends with " + without.String())
		}
		return p.Mismatch("a code for a request with resource", made.String())
	}
	tokens, err := p.Redeemed(ctx, made)
	if err != nil || tokens.Refresh == "" {
		return err
	}
	answer, refreshed, err := p.Refresh(ctx, client, tokens.Refresh, bench.Set("resource", p.Target().Resource))
	if err == nil && refreshed == nil {
		return p.Mismatch("tokens for a refresh with resource", answer.String())
	}
	return err
}

// resourceInvalidTarget tries authorization-server/resource/invalid-target. A server that ignores
// resources cannot be told from one that issues tokens for each, so a code passes.
func resourceInvalidTarget(ctx context.Context, p *bench.Probe) error {
	client, err := publicClient(ctx, p)
	if err != nil {
		return err
	}
	var found []*check.Mismatch
	for name, resource := range map[string]string{
		"an unknown resource":        foreignResource,
		"a relative resource":        "/mcp",
		"a resource with a fragment": p.Target().Resource + "#part",
	} {
		made, err := p.Authorize(ctx, client, bench.Set("resource", resource))
		if err != nil {
			return err
		}
		code := made.Response.Get("error")
		if code != "" && code != "invalid_target" {
			found = append(found, p.Mismatch("error=invalid_target for "+name, made.String()))
		}
	}
	return bench.All(found...)
}

// resourceTokenRequest tries authorization-server/resource/token-request.
func resourceTokenRequest(ctx context.Context, p *bench.Probe) error {
	client, _, err := p.PublicGranted(ctx)
	if err != nil {
		return err
	}
	// A server that refuses an unknown resource at the authorization endpoint knows its resources.
	refused, err := p.Authorize(ctx, client, bench.Set("resource", foreignResource))
	if err != nil {
		return err
	}
	made, err := p.Approved(ctx, client)
	if err != nil {
		return err
	}
	answer, tokens, err := p.Redeem(ctx, made, bench.Set("resource", foreignResource))
	switch {
	case err != nil:
		return err
	case tokens != nil && refused.Code() != "":
		return &check.NotApplicable{Reason: "the server ignores the resource parameter"}
	case tokens != nil:
		return p.Mismatch("a refusal of a resource that was not authorized", "tokens")
	case answer.ErrorCode() != "invalid_target":
		return p.Mismatch("invalid_target", answer.String())
	}
	return nil
}

// resourceCase tries authorization-server/resource/case.
func resourceCase(ctx context.Context, p *bench.Probe) error {
	client, err := publicClient(ctx, p)
	if err != nil {
		return err
	}
	parsed, err := url.Parse(p.Target().Resource)
	if err != nil || parsed.Host == "" {
		return &check.NotApplicable{Reason: "the resource has no host"}
	}
	upper := strings.Replace(p.Target().Resource, parsed.Scheme+"://"+parsed.Host,
		strings.ToUpper(parsed.Scheme+"://"+parsed.Host), 1)
	made, err := p.Authorize(ctx, client, bench.Set("resource", upper))
	if err == nil && made.Code() == "" {
		return p.Mismatch("a code for "+upper, made.String())
	}
	return err
}
