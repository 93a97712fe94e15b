package checks

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// registrationRedirectChecks returns the checks of authorization-server/registration: redirect URIs
// that no client may register.
func registrationRedirectChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/registration/scripts",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "MCP 2025-11-25 authorization, Communication Security; OAuth 2.1 draft-13 section 2.3",
				Sentence:  "No redirect URI runs a script or opens a file.",
				Covers:    []string{"as-redirect-localhost-or-https", "AS-070"},
			},
			Run: registrationScripts,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/registration/plain-http",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "MCP 2025-11-25 authorization, Communication Security; OAuth 2.1 draft-13 section 1.5",
				Sentence:  "Redirect URIs are https, or on loopback.",
				Covers: []string{
					"as-redirect-localhost-or-https",
					"AS-070",
					"server-legacy-redirect-validated",
				},
			},
			Run: registrationPlainHTTP,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/registration/fragment",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "RFC 6749 section 3.1.2; OAuth 2.1 draft-13 section 2.3",
				Sentence:  "A redirect URI has no fragment.",
				Covers:    []string{"AS-070"},
			},
			Run: registrationFragment,
		},
	}
}

// registrationScripts tries authorization-server/registration/scripts.
func registrationScripts(ctx context.Context, p *bench.Probe) error {
	return unusableRedirects(ctx, p,
		"javascript:alert(1)",
		"JaVaScRiPt://a.example/%0aalert(1)",
		"data:text/html,<script>alert(1)</script>",
		"vbscript:msgbox(1)",
		"file:///etc/passwd",
		"java\tscript:alert(1)",
		"java\nscript:alert(1)",
		" javascript:alert(1)",
	)
}

// registrationPlainHTTP tries authorization-server/registration/plain-http.
func registrationPlainHTTP(ctx context.Context, p *bench.Probe) error {
	return unusableRedirects(ctx, p,
		"http://mcp-auth-conformance.example/callback",
		"http://127.0.0.1.example/callback",
	)
}

// registrationFragment tries authorization-server/registration/fragment.
func registrationFragment(ctx context.Context, p *bench.Probe) error {
	return unusableRedirects(ctx, p, bench.SiteRedirect+"#part")
}

// unusableRedirects wants each redirect URI refused at the registration, left out of its answer, or
// refused by the authorization endpoint.
func unusableRedirects(ctx context.Context, p *bench.Probe, redirects ...string) error {
	if _, err := p.MustRegister(ctx, bench.Members{"redirect_uris": []string{bench.SiteRedirect}}); err != nil {
		return err
	}
	var found []*check.Mismatch
	for _, redirect := range redirects {
		mismatch, err := unusableRedirect(ctx, p, redirect)
		if err != nil {
			return err
		}
		found = append(found, mismatch)
	}
	return bench.All(found...)
}

func unusableRedirect(ctx context.Context, p *bench.Probe, redirect string) (*check.Mismatch, error) {
	kind := "web"
	if strings.HasPrefix(redirect, "http:") {
		kind = "native"
	}
	body := bench.Registration(bench.Members{"redirect_uris": []string{redirect}, "application_type": kind})
	answer, registered, err := p.Register(ctx, body)
	switch {
	case err != nil:
		return nil, err
	case registered == nil && answer.Status >= http.StatusInternalServerError:
		return p.Mismatch(fmt.Sprintf("a refusal of %q", redirect), answer.String()), nil
	case registered == nil:
		return nil, nil
	}
	// A server may repeat the address as a browser reads it.
	isSame := func(uri string) bool { return bench.BrowserReading(uri) == bench.BrowserReading(redirect) }
	at := slices.IndexFunc(registered.RedirectURIs, isSame)
	if at < 0 {
		return nil, nil
	}
	kept := registered.RedirectURIs[at]
	got := fmt.Sprintf("%q", registered.RedirectURIs)
	mismatch := p.Insecure(fmt.Sprintf("a refusal, or redirect_uris without %q", redirect), got)
	if p.Target().Person == nil {
		return mismatch, nil
	}
	client := registered.Client()
	made, err := p.Authorize(ctx, client, bench.Set("redirect_uri", kept))
	if err != nil {
		return nil, err
	}
	if made.Landed == nil {
		return nil, nil
	}
	mismatch = p.Insecure(fmt.Sprintf("no redirect to %q", redirect), made.String())
	if strings.HasPrefix(redirect, "file:") {
		mismatch.Severity = check.Medium // a file runs no script of the attacker's
	}
	return mismatch, nil
}
