package checks

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// legacyChecks returns the checks of server/legacy: a server of MCP 2025-03-26 that is its own
// authorization server.
func legacyChecks() []bench.Check {
	only := []check.Revision{check.R20250326}
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/legacy/location",
				Level:     check.Must,
				Revisions: only,
				Reference: "MCP 2025-03-26 authorization, Authorization Base URL",
				Sentence: "Authorization server metadata of the server is at the root of its origin, " +
					"whatever the endpoint's path.",
				Covers: []string{"server-legacy-metadata-location"},
			},
			Run: legacyLocation,
		},
		{
			Rule: check.Rule{
				ID:        "server/legacy/default-endpoints",
				Level:     check.Must,
				Revisions: only,
				Reference: "MCP 2025-03-26 authorization, Fallbacks for Servers without Metadata Discovery",
				Sentence:  "A server that publishes no metadata has /authorize and /token at its origin.",
				Covers:    []string{"server-legacy-default-endpoints"},
			},
			Run: legacyDefaultEndpoints,
		},
		{
			Rule: check.Rule{
				ID:        "server/legacy/registration",
				Level:     check.Should,
				Revisions: only,
				Reference: "MCP 2025-03-26 authorization, Dynamic Client Registration; RFC 7591 section 3",
				Sentence:  "A client can register itself.",
				Covers:    []string{"server-legacy-dcr"},
			},
			Run: legacyRegistration,
		},
		{
			Rule: check.Rule{
				ID:        "server/legacy/https",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: only,
				Reference: "MCP 2025-03-26 authorization, Security Considerations; OAuth 2.1 section 1.5",
				Sentence:  "Every endpoint of the authorization server is https, or http on loopback.",
				Covers:    []string{"server-legacy-https-endpoints"},
			},
			Run: legacyHTTPS,
		},
		{
			Rule: check.Rule{
				ID:        "server/legacy/redirects",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: only,
				Reference: "MCP 2025-03-26 authorization, Security Considerations; OAuth 2.1 section 2.3",
				Sentence: "The authorization endpoint refuses a redirect URI that is not registered, and one " +
					"that is neither https nor on loopback.",
				Covers: []string{"server-legacy-redirect-validated"},
			},
			Run: legacyRedirects,
		},
	}
}

// legacyLocation applies to servers with metadata at an address that has the endpoint's path.
func legacyLocation(ctx context.Context, p *bench.Probe) error {
	const wellKnown = "/.well-known/oauth-authorization-server"
	origin, err := attack.Origin(p)
	if err != nil {
		return err
	}
	path := strings.TrimSuffix(strings.TrimPrefix(p.URL(), origin), "/")
	if path == "" {
		return &check.NotApplicable{Reason: "the endpoint is at the root of its origin"}
	}
	below := ""
	for _, address := range []string{origin + wellKnown + path, origin + path + wellKnown} {
		document, _, err := attack.FetchIssuer(ctx, p, address)
		if err != nil {
			return err
		}
		if document != nil {
			below = address
		}
	}
	if below == "" {
		return &check.NotApplicable{Reason: "the server has no authorization server metadata below its path"}
	}
	document, answer, err := attack.FetchIssuer(ctx, p, origin+wellKnown)
	if err == nil && document == nil {
		return p.Mismatch("metadata at "+origin+wellKnown+", as at "+below, fmt.Sprintf("status %d", answer.Status))
	}
	return err
}

// legacyDefaultEndpoints looks for OAuth at the default addresses. Any answer except 404 counts.
func legacyDefaultEndpoints(ctx context.Context, p *bench.Probe) error {
	if err := wantsTokens(ctx, p); err != nil {
		return err
	}
	document, published, err := attack.LegacyIssuer(ctx, p)
	if err != nil || published {
		return err
	}
	query := url.Values{
		"response_type":         {"code"},
		"client_id":             {"mcp-auth-conformance"},
		"redirect_uri":          {attack.LoopbackRedirect},
		"code_challenge":        {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"},
		"code_challenge_method": {"S256"},
	}
	form := url.Values{"grant_type": {"authorization_code"}, "code": {"x"}, "client_id": {"mcp-auth-conformance"}}
	for _, request := range []bench.Request{
		{Method: http.MethodGet, URL: document.AuthorizationEndpoint, Query: query},
		{
			URL:    document.TokenEndpoint,
			Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
			Body:   []byte(form.Encode()),
		},
	} {
		answer, err := p.Send(ctx, request)
		if err != nil {
			return err
		}
		if answer.Status == http.StatusNotFound {
			return p.Mismatch("an answer of OAuth at "+request.URL+", or metadata at the origin", "status 404")
		}
	}
	return nil
}

// legacyRegistration registers a public client with a redirect URI on loopback.
func legacyRegistration(ctx context.Context, p *bench.Probe) error {
	if err := wantsTokens(ctx, p); err != nil {
		return err
	}
	document, _, err := attack.LegacyIssuer(ctx, p)
	if err != nil {
		return err
	}
	if document.RegistrationEndpoint == "" {
		return p.Mismatch("registration_endpoint in the metadata", "none")
	}
	answer, client, err := attack.RegisterAs(ctx, p, document, "application/json", "none")
	switch {
	case err != nil:
		return err
	case answer.Status/100 == 2 && client.ID != "":
		return nil
	case answer.Status == http.StatusUnauthorized, answer.Status == http.StatusForbidden:
		return p.MismatchAt(check.Policy, "a registration", fmt.Sprintf("a refusal with status %d", answer.Status))
	}
	return p.Mismatch("status 201 with client_id", fmt.Sprintf("status %d", answer.Status))
}

// legacyHTTPS looks at every member of the metadata that is an endpoint.
func legacyHTTPS(ctx context.Context, p *bench.Probe) error {
	origin, err := attack.Origin(p)
	if err != nil {
		return err
	}
	document, answer, err := attack.FetchIssuer(ctx, p, origin+"/.well-known/oauth-authorization-server")
	if err != nil {
		return err
	}
	if document == nil {
		return &check.NotApplicable{Reason: "the server has no authorization server metadata at its origin"}
	}
	var members map[string]any
	_ = json.Unmarshal(answer.Body, &members) // it was read before
	for name, value := range members {
		text, isText := value.(string)
		if !strings.HasSuffix(name, "_endpoint") || !isText {
			continue
		}
		address, err := url.Parse(text)
		if err != nil || !attack.IsSecure(address) {
			return p.Mismatch(name+" with an https URL, or http on loopback", text)
		}
	}
	return nil
}

// legacyRedirects sends authorization requests with redirect URIs that are not registered or not
// allowed, after one without a flaw.
func legacyRedirects(ctx context.Context, p *bench.Probe) error {
	registrar, client, err := attack.NewLegacyRegistrar(ctx, p)
	if err != nil {
		return err
	}
	good, err := registrar.Authorize(ctx, client, attack.LoopbackRedirect, "code")
	if err != nil {
		return err
	}
	if good.Status >= http.StatusBadRequest {
		return &check.CannotJudge{
			Reason: fmt.Sprintf("the control failed: a good authorization request is answered %d", good.Status),
		}
	}
	if err := wantNoRedirect(ctx, p, registrar, client, attack.SiteRedirect); err != nil {
		return err
	}
	const inClear = "http://" + attack.SiteHost + "/callback"
	other, err := registrar.Register(ctx, inClear)
	if err != nil || other == nil || !slices.Contains(other.RedirectURIs, inClear) {
		return err
	}
	answer, err := registrar.Authorize(ctx, other, inClear, "code")
	if err == nil && answer.Status < http.StatusBadRequest && answer.Status == good.Status {
		return p.Mismatch("a refusal of the redirect URI "+inClear, fmt.Sprintf("status %d", answer.Status))
	}
	return err
}

// wantNoRedirect wants no redirect to a redirect URI that is not registered.
func wantNoRedirect(
	ctx context.Context, p *bench.Probe, registrar *attack.Registrar, client *attack.RegisteredClient, redirect string,
) error {
	answer, err := registrar.Authorize(ctx, client, redirect, "code")
	if err != nil {
		return err
	}
	target, err := url.Parse(answer.Header.Get("Location"))
	if err == nil && answer.Status/100 == 3 && target.Hostname() == attack.SiteHost {
		return p.Insecure("no redirect to the unregistered "+redirect, fmt.Sprintf("status %d", answer.Status))
	}
	return nil
}
