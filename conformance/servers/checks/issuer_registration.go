package checks

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// issuerRegistrationChecks returns the checks of authorization-server/registration: what an
// authorization server does with the redirect URIs of clients that register themselves (RFC 7591).
// Each check registers at most two clients. Their host is in the domain example, which belongs to
// no person.
func issuerRegistrationChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/registration/own-origin",
				Level:     check.Policy,
				Revisions: since(check.R20250618),
				Reference: "RFC 9700 section 4.11: the redirect would look like a step of the server's own " +
					"sign-in",
				Sentence: "A client cannot register the server's own authorization endpoint as its redirect URI.",
			},
			Run: issuerRegistrationOwnOrigin,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/registration/some-usable",
				Level:     check.Policy,
				Revisions: since(check.R20250618),
				Reference: "RFC 7591 section 3.2.1: the server may leave out values that it cannot use, and " +
					"its answer says so",
				Sentence: "A registration with a usable redirect URI succeeds even if another is unusable. " +
					"Common clients register several.",
			},
			Run: issuerRegistrationSomeUsable,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/registration/host-shown",
				Level:     check.Policy,
				Revisions: since(check.R20250618),
				Reference: "RFC 3986 section 3.2.2; MCP security best practices, Confused Deputy Problem",
				Sentence: "A consent page shows the host that the browser will visit, and not letters that " +
					"imitate another host.",
			},
			Run: issuerRegistrationHostShown,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/registration/media-type",
				Level:     check.Policy,
				Severity:  check.Low,
				Revisions: since(check.R20250618),
				Reference: "RFC 7591 section 3.1; Fetch standard, CORS-safelisted request header",
				Sentence: "A registration that is not application/json is refused, because any web page can " +
					"send one with a visitor's browser.",
			},
			Run: issuerRegistrationMediaType,
		},
	}
}

// issuerRegistrationOwnOrigin tries authorization-server/registration/own-origin.
func issuerRegistrationOwnOrigin(ctx context.Context, p *bench.Probe) error {
	registrar, err := attack.NewRegistrar(ctx, p)
	if err != nil {
		return err
	}
	own := registrar.Issuer.AuthorizationEndpoint
	client, err := registrar.Register(ctx, own)
	if err != nil || client == nil || !slices.Contains(client.RedirectURIs, own) {
		return err
	}
	return p.Mismatch("a refusal, or redirect_uris without "+own, fmt.Sprintf("%q", client.RedirectURIs))
}

// issuerRegistrationSomeUsable tries authorization-server/registration/some-usable.
func issuerRegistrationSomeUsable(ctx context.Context, p *bench.Probe) error {
	registrar, err := attack.NewRegistrar(ctx, p)
	if err != nil {
		return err
	}
	client, err := registrar.Register(ctx, "mcp-auth-conformance://callback", attack.LoopbackRedirect)
	if err != nil {
		return err
	}
	if client == nil {
		return p.Mismatch(
			"a registration with "+attack.LoopbackRedirect,
			fmt.Sprintf("status %d", registrar.Status),
		)
	}
	if !slices.Contains(client.RedirectURIs, attack.LoopbackRedirect) {
		return p.Mismatch("redirect_uris with "+attack.LoopbackRedirect, fmt.Sprintf("%q", client.RedirectURIs))
	}
	return nil
}

// issuerRegistrationHostShown looks at the first page of the authorization for a host that imitates
// another.
func issuerRegistrationHostShown(ctx context.Context, p *bench.Probe) error {
	registrar, err := attack.NewRegistrar(ctx, p)
	if err != nil {
		return err
	}
	client, err := registrar.Register(ctx, attack.EncodedRedirect)
	if err != nil || client == nil || len(client.RedirectURIs) == 0 {
		return err // the server has refused the redirect URI
	}
	page, err := registrar.Authorize(ctx, client, client.RedirectURIs[0], "code")
	if err != nil {
		return err
	}
	text := html.UnescapeString(string(page.Body))
	switch {
	case strings.Contains(text, attack.EncodedASCII):
		return nil
	case strings.Contains(text, attack.EncodedShown):
		return p.Mismatch("the host as "+attack.EncodedASCII, "a page that shows it as "+attack.EncodedShown)
	}
	return &check.NotApplicable{Reason: "the first page of the authorization does not show the redirect URI"}
}

// issuerRegistrationMediaType sends a registration as text/plain, which a page can send without a
// preflight.
func issuerRegistrationMediaType(ctx context.Context, p *bench.Probe) error {
	document, err := attack.FindRegistration(ctx, p)
	if err != nil {
		return err
	}
	answer, _, err := attack.RegisterAs(ctx, p, document, "text/plain", "none")
	if err != nil {
		return err
	}
	if answer.Status == http.StatusCreated || answer.Status == http.StatusOK {
		return p.Mismatch("415 or 400 for a registration as text/plain", fmt.Sprint(answer.Status))
	}
	return nil
}
