package checks

import (
	"context"
	"net/url"
	"slices"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// issuerRedirectChecks returns the checks of authorization-server/redirect.
func issuerRedirectChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/redirect/untrusted",
				Level:     check.Should,
				Revisions: since(check.R20250618),
				Reference: "MCP 2025-06-18 authorization, Open Redirection; RFC 9700 section 4.11.2",
				Sentence: "Before a sign-in, an invalid request does not redirect the browser to a " +
					"self-registered site.",
			},
			Run: issuerRedirectUntrusted,
		},
	}
}

// issuerRedirectUntrusted sends a request with an unknown response type for a self-registered site.
func issuerRedirectUntrusted(ctx context.Context, p *bench.Probe) error {
	registrar, err := attack.NewRegistrar(ctx, p)
	if err != nil {
		return err
	}
	client, err := registrar.Register(ctx, attack.SiteRedirect)
	if err != nil {
		return err
	}
	if client == nil || !slices.Contains(client.RedirectURIs, attack.SiteRedirect) {
		return &check.NotApplicable{Reason: "a client cannot register " + attack.SiteRedirect}
	}
	answer, err := registrar.Authorize(ctx, client, attack.SiteRedirect, "mcp-auth-conformance")
	if err != nil {
		return err
	}
	target, err := url.Parse(answer.Header.Get("Location"))
	if err == nil && answer.Status/100 == 3 && target.Hostname() == attack.SiteHost {
		return p.Mismatch("a page of the server or a sign-in first", "a redirect to "+attack.SiteRedirect)
	}
	return nil
}
