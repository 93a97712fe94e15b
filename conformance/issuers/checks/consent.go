package checks

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// consentChecks returns the checks of authorization-server/consent: whether a person approves each
// client.
func consentChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:       "authorization-server/consent/asked",
				Level:    check.Must,
				Severity: check.Critical,
				Reference: "RFC 6749 section 10.12; OAuth 2.1 draft-13 section 7.3; MCP security best " +
					"practices, Confused Deputy Problem",
				Sentence: "A person who is signed in is asked before another self-registered client gets a code.",
				Covers: []string{
					"AS-001",
					"AS-002",
					"server-proxy-per-client-consent",
					"server-proxy-consent-registry",
					"server-proxy-consent-cookie-bound",
				},
			},
			Needs: []bench.Need{bench.Scripted},
			Run:   consentAsked,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/consent/repeated",
				Level:     check.Should,
				Severity:  check.High,
				Reference: "OAuth 2.1 draft-13 sections 7.3 and 7.3.1",
				Sentence:  "A public client on loopback is not approved again without the person.",
				Covers:    []string{"as-repeat-consent", "AS-004"},
			},
			Needs: []bench.Need{bench.Scripted},
			Run:   consentRepeated,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/consent/other-redirect",
				Level:     check.Policy,
				Severity:  check.High,
				Reference: "MCP security best practices, Confused Deputy: consent for a client and its redirect URI",
				Sentence:  "A consent does not count for another redirect URI of the client.",
				Covers:    []string{"AS-002", "server-proxy-consent-registry"},
			},
			Needs: []bench.Need{bench.Scripted},
			Run:   consentOtherRedirect,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/consent/more-scopes",
				Level:     check.Policy,
				Severity:  check.High,
				Reference: "OAuth 2.1 draft-13 section 7.3",
				Sentence:  "A consent does not count for more scopes.",
				Covers:    []string{"AS-002"},
			},
			Needs: []bench.Need{bench.Scripted, bench.Scopes},
			Run:   consentMoreScopes,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/consent/cross-site",
				Level:     check.Policy,
				Severity:  check.High,
				Reference: "OAuth 2.1 draft-13 section 7.3.1; GHSA-6x8h-498w-gv8c",
				Sentence:  "A link on another site does not use an earlier consent without the person.",
				Covers:    []string{"AS-004"},
			},
			Needs: []bench.Need{bench.Scripted},
			Run:   consentCrossSite,
		},
	}
}

// signedIn returns a browser with a person who is signed in and has approved a client.
func signedIn(ctx context.Context, p *bench.Probe, client *bench.Client) (*bench.Browser, error) {
	browser := p.NewBrowser()
	_, err := p.ApprovedAs(ctx, bench.Visitor{Browser: browser}, client)
	return browser, err
}

// wantAsked sends a signed-in person through a request that another consent does not cover.
func wantAsked(
	ctx context.Context, p *bench.Probe, browser *bench.Browser, client *bench.Client, want string,
	changes ...bench.Change,
) error {
	made, err := p.AuthorizeAs(ctx, bench.Visitor{Browser: browser}, client, changes...)
	if err == nil && made.Code() != "" && !browser.HasActed() {
		return p.Insecure(want, "a code without a page")
	}
	return err
}

// consentAsked tries authorization-server/consent/asked.
func consentAsked(ctx context.Context, p *bench.Probe) error {
	first, err := p.MustRegister(ctx, nil)
	if err != nil {
		return err
	}
	browser, err := signedIn(ctx, p, first.Client())
	if err != nil {
		return err
	}
	second, err := p.MustRegister(ctx, bench.Members{
		"client_name":      "mcp-auth-conformance evil",
		"redirect_uris":    []string{bench.SiteRedirect},
		"application_type": "web",
	})
	if err != nil {
		return err
	}
	return wantAsked(ctx, p, browser, second.Client(), "a page that asks for consent to another client")
}

// consentRepeated tries authorization-server/consent/repeated.
func consentRepeated(ctx context.Context, p *bench.Probe) error {
	registered, err := p.MustRegister(ctx, nil)
	if err != nil {
		return err
	}
	browser, err := signedIn(ctx, p, registered.Client())
	if err != nil {
		return err
	}
	return wantAsked(ctx, p, browser, registered.Client(), "a page for the second request of a client on loopback")
}

// consentOtherRedirect tries authorization-server/consent/other-redirect.
func consentOtherRedirect(ctx context.Context, p *bench.Probe) error {
	const second = "https://second.mcp-auth-conformance.example/callback"
	registered, err := p.MustRegister(ctx, bench.Members{
		"redirect_uris":    []string{bench.SiteRedirect, second},
		"application_type": "web",
	})
	if err != nil {
		return err
	}
	client := registered.Client()
	client.RedirectURI = bench.SiteRedirect
	browser, err := signedIn(ctx, p, client)
	if err != nil {
		return err
	}
	return wantAsked(ctx, p, browser, client, "a page for another redirect URI", bench.Set("redirect_uri", second))
}

// consentMoreScopes tries authorization-server/consent/more-scopes.
func consentMoreScopes(ctx context.Context, p *bench.Probe) error {
	scopes := p.Target().Scopes
	if len(scopes) < 2 {
		return &check.NotApplicable{Reason: "the target has only one scope"}
	}
	client, err := p.MustRegister(ctx, bench.Members{
		"redirect_uris":    []string{bench.SiteRedirect},
		"application_type": "web",
	})
	if err != nil {
		return err
	}
	browser := p.NewBrowser()
	_, err = p.ApprovedAs(ctx, bench.Visitor{Browser: browser}, client.Client(), bench.Set("scope", scopes[0]))
	if err != nil {
		return err
	}
	return wantAsked(ctx, p, browser, client.Client(), "a page for more scopes",
		bench.Set("scope", strings.Join(scopes, " ")))
}

// consentCrossSite tries authorization-server/consent/cross-site.
func consentCrossSite(ctx context.Context, p *bench.Probe) error {
	client, err := p.MustRegister(ctx, bench.Members{
		"redirect_uris":    []string{bench.SiteRedirect},
		"application_type": "web",
	})
	if err != nil {
		return err
	}
	browser, err := signedIn(ctx, p, client.Client())
	if err != nil {
		return err
	}
	first := true
	browser.Tamper = func(request *http.Request, _ url.Values) *http.Response {
		if first {
			request.Header.Set("Sec-Fetch-Site", "cross-site")
			request.Header.Set("Referer", "https://evil.example/")
		}
		first = false
		return nil
	}
	return wantAsked(ctx, p, browser, client.Client(), "a page for a link of another site")
}
