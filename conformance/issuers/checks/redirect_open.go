package checks

import (
	"context"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// redirectOpenChecks returns the checks of authorization-server/redirect: when the server must not
// send a person to a redirect URI.
func redirectOpenChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/redirect/unknown-client",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "OAuth 2.1 draft-13 sections 2.3.5 and 4.1.2.1",
				Sentence:  "A request with an unknown client does not redirect the browser.",
				Covers:    []string{"as-redirect-invalid-no-redirect", "AS-022"},
			},
			Needs: []bench.Need{bench.Scripted},
			Run:   redirectUnknownClient,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/redirect/missing",
				Level:     check.Should,
				Severity:  check.Medium,
				Reference: "OAuth 2.1 draft-13 sections 2.3.3 and 4.1.1",
				Sentence:  "A client with two redirect URIs has to name one.",
				Covers:    []string{"as-redirect-invalid-no-redirect", "AS-020"},
			},
			Needs: []bench.Need{bench.Scripted},
			Run:   redirectMissing,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/redirect/silent",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "OAuth 2.1 draft-13 section 4.1.2.1",
				Sentence:  "A request with prompt=none and an unregistered redirect URI does not redirect there.",
				Covers:    []string{"AS-022"},
			},
			Needs: []bench.Need{bench.Scripted},
			Run:   redirectSilent,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/redirect/open",
				Level:     check.Should,
				Severity:  check.Medium,
				Reference: "OAuth 2.1 draft-13 section 7.12.2; RFC 9700 section 4.11.2",
				Sentence: "Before a sign-in, a request that fails does not redirect the browser to a " +
					"self-registered site.",
				Covers: []string{"as-open-redirect-precautions", "as-untrusted-redirect-not-automatic"},
			},
			Needs: []bench.Need{bench.Scripted},
			Run:   redirectOpen,
		},
	}
}

// redirectUnknownClient tries authorization-server/redirect/unknown-client.
func redirectUnknownClient(ctx context.Context, p *bench.Probe) error {
	if _, err := p.PublicApproved(ctx); err != nil {
		return err
	}
	var found []*check.Mismatch
	for _, redirect := range []string{bench.SiteRedirect, bench.LoopbackRedirect} {
		unknown := &bench.Client{ID: "mcp-auth-conformance-unknown", RedirectURI: redirect}
		made, err := p.Authorize(ctx, unknown)
		if err != nil {
			return err
		}
		if made.Landed != nil {
			found = append(found, p.Insecure("a page for an unknown client", made.String()))
		}
	}
	return bench.All(found...)
}

// redirectMissing tries authorization-server/redirect/missing.
func redirectMissing(ctx context.Context, p *bench.Probe) error {
	both := []string{bench.SiteRedirect, "https://second.mcp-auth-conformance.example/callback"}
	registered, err := p.MustRegister(ctx, bench.Members{"redirect_uris": both, "application_type": "web"})
	if err != nil {
		return err
	}
	if len(registered.RedirectURIs) < 2 {
		return &check.NotApplicable{Reason: "a client cannot register two redirect URIs"}
	}
	client := registered.Client()
	if _, err := p.Approved(ctx, client); err != nil {
		return err
	}
	made, err := p.Authorize(ctx, client, bench.Without("redirect_uri"))
	if err == nil && made.Landed != nil {
		return p.Mismatch("a page for a request without redirect_uri", made.String())
	}
	return err
}

// redirectSilent tries authorization-server/redirect/silent.
func redirectSilent(ctx context.Context, p *bench.Probe) error {
	approved, err := p.PublicApproved(ctx)
	if err != nil {
		return err
	}
	const redirect = "https://evil.example/callback"
	changes := []bench.Change{bench.Set("redirect_uri", redirect), bench.Set("prompt", "none")}
	made, err := p.Authorize(ctx, approved.Client, changes...)
	if err == nil && made.Landed != nil && made.Landed.Hostname() == "evil.example" {
		return p.Insecure("a page", made.String())
	}
	return err
}

// redirectOpen tries authorization-server/redirect/open. The browser has no session. A page with a
// link to the site passes.
func redirectOpen(ctx context.Context, p *bench.Probe) error {
	client, err := siteClient(ctx, p)
	if err != nil {
		return err
	}
	for _, change := range []bench.Change{
		bench.Set("response_type", "mcp-auth-conformance"),
		bench.Set("scope", "mcp-auth-conformance"),
		bench.Set("code_challenge_method", "mcp-auth-conformance"),
	} {
		browser := p.NewBrowser()
		made, err := p.AuthorizeAs(ctx, bench.Visitor{Browser: browser}, client, change)
		if err != nil {
			return err
		}
		// A sign-in posts a form before the redirect.
		if made.Landed != nil && !hasPosted(browser) {
			return p.Mismatch("a page of the server or a sign-in first", made.String())
		}
	}
	return nil
}

// hasPosted reports whether the person has sent a form.
func hasPosted(browser *bench.Browser) bool {
	for _, exchange := range browser.Exchanges() {
		if exchange.Form != nil {
			return true
		}
	}
	return false
}
