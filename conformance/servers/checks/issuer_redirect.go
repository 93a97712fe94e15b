package checks

import (
	"context"
	"net/url"
	"slices"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/bench"
)

// issuerRedirectChecks are checks of authorization-server/redirect.
func issuerRedirectChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/redirect/untrusted",
				Level:     check.Should,
				Revisions: []check.Revision{check.R20250618, check.R20251125, check.R20260728},
				Reference: "MCP 2025-06-18 authorization, Open Redirection; RFC 9700 section 4.11.2",
				Sentence:  "An erroneous request does not send a browser to a self-registered site before a sign-in.",
			},
			Run: untrustedRedirect,
		},
	}
}

func untrustedRedirect(ctx context.Context, p *bench.Probe) error {
	r, err := newRegistrar(ctx, p)
	if err != nil {
		return err
	}
	made, err := r.register(ctx, siteRedirect)
	if err != nil {
		return err
	}
	if made == nil || !slices.Contains(made.RedirectURIs, siteRedirect) {
		return &check.NotApplicable{Reason: "a client cannot register " + siteRedirect}
	}
	answer, err := r.authorize(ctx, made, siteRedirect, "mcp-auth-conformance")
	if err != nil {
		return err
	}
	to, err := url.Parse(answer.Header.Get("Location"))
	if err == nil && answer.Status >= 300 && answer.Status < 400 && to.Hostname() == "mcp-auth-conformance.example" {
		return p.Mismatch("a page of the server or a sign-in first", "a redirect to "+siteRedirect)
	}
	return nil
}
