package checks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mcpentra/conformance/engine"
)

// registration: what an authorization server makes of the redirect URIs of clients that register themselves (RFC 7591).
// Each check registers at most two clients. They name a host of the domain example, which belongs to no person.
func registration() []engine.Check {
	return []engine.Check{
		{
			ID: "authorization-server/registration/own-origin", Role: engine.AuthorizationServer, Level: engine.Policy,
			Revisions: withMetadata,
			Reference: "RFC 9700 section 4.11: such an answer looks like a step of the server's own sign-in",
			Sentence:  "A client cannot register the server's own authorization endpoint as its redirect URI.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				r, err := newRegistrar(ctx, p)
				if err != nil {
					return err
				}
				own := r.issuer.AuthorizationEndpoint
				made, err := r.register(ctx, own)
				if err != nil || made == nil || !slices.Contains(made.RedirectURIs, own) {
					return err
				}
				return p.Mismatch("a refusal, or redirect_uris without "+own, fmt.Sprintf("%q", made.RedirectURIs))
			},
		},
		{
			ID: "authorization-server/registration/some-usable", Role: engine.AuthorizationServer, Level: engine.Policy,
			Revisions: withMetadata,
			Reference: "RFC 7591 section 3.2.1: the server may leave out what it cannot use, and says so in its answer",
			Sentence: "An unusable redirect URI does not spoil a registration that has a usable one, too. " +
				"Common clients register several.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				r, err := newRegistrar(ctx, p)
				if err != nil {
					return err
				}
				made, err := r.register(ctx, "mcp-auth-conformance://callback", loopbackRedirect)
				if err != nil {
					return err
				}
				if made == nil {
					return p.Mismatch("a registration with "+loopbackRedirect, fmt.Sprintf("status %d", r.status))
				}
				if !slices.Contains(made.RedirectURIs, loopbackRedirect) {
					return p.Mismatch("redirect_uris with "+loopbackRedirect, fmt.Sprintf("%q", made.RedirectURIs))
				}
				return nil
			},
		},
		{
			ID: "authorization-server/registration/host-shown", Role: engine.AuthorizationServer, Level: engine.Should,
			Revisions: withMetadata,
			Reference: "RFC 3986 section 3.2.2; MCP security best practices, Confused Deputy Problem",
			Sentence:  "A consent page shows the host that the browser visits, and not letters that imitate another.",
			Run:       hostShown,
		},
		{
			ID: "authorization-server/redirect/untrusted", Role: engine.AuthorizationServer, Level: engine.Should,
			Revisions: []engine.Revision{engine.R20250618, engine.R20251125, engine.R20260728},
			Reference: "MCP 2025-06-18 authorization, Open Redirection; RFC 9700 section 4.11.2",
			Sentence:  "An erroneous request does not send a browser to a self-registered site before a sign-in.",
			Run:       untrustedRedirect,
		},
	}
}

const (
	loopbackRedirect = "http://127.0.0.1:33418/callback"
	siteRedirect     = "https://mcp-auth-conformance.example/callback"

	// encodedRedirect is at xn--lude-53d4h.example, whose first and third letters are Cyrillic.
	encodedRedirect = "https://%D1%81l%D0%B0ude.example/callback"
	encodedShown    = "сlаude.example"
	encodedASCII    = "xn--lude-53d4h.example"
)

// A registrar registers clients at the authorization server that a target names.
type registrar struct {
	probe  *engine.Probe
	issuer *issuerDocument
	status int // of the last answer
}

// A registeredClient is what the server says of a client that it has registered.
type registeredClient struct {
	ID           string   `json:"client_id"`
	RedirectURIs []string `json:"redirect_uris"`
}

// newRegistrar registers a client with nothing wrong, so that a refusal afterwards means something.
func newRegistrar(ctx context.Context, p *engine.Probe) (*registrar, error) {
	document, _, _, err := findIssuer(ctx, p)
	var missing *engine.Mismatch
	if errors.As(err, &missing) {
		return nil, &engine.NotApplicable{Reason: "there is no metadata of an authorization server"}
	}
	if err != nil {
		return nil, err
	}
	if document.RegistrationEndpoint == "" {
		return nil, &engine.NotApplicable{Reason: "the authorization server offers no registration"}
	}
	r := &registrar{probe: p, issuer: document}
	made, err := r.register(ctx, loopbackRedirect)
	if err != nil {
		return nil, err
	}
	if made == nil {
		reason := fmt.Sprintf("a client with the redirect URI %s is refused with status %d", loopbackRedirect, r.status)
		return nil, &engine.CannotJudge{Reason: reason}
	}
	return r, nil
}

// register returns nil if the server refuses the registration as invalid.
func (r *registrar) register(ctx context.Context, redirects ...string) (*registeredClient, error) {
	kind := "web"
	if slices.Contains(redirects, loopbackRedirect) {
		kind = "native"
	}
	body, err := json.Marshal(map[string]any{
		"client_name": "mcp-auth-conformance", "redirect_uris": redirects, "application_type": kind,
		"grant_types": []string{"authorization_code"}, "response_types": []string{"code"},
		"token_endpoint_auth_method": "none",
	})
	if err != nil {
		return nil, err
	}
	header := http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}}
	answer, err := r.probe.Send(ctx, engine.Request{URL: r.issuer.RegistrationEndpoint, Header: header, Body: body})
	if err != nil {
		return nil, err
	}
	r.status = answer.Status
	switch {
	case answer.Status == http.StatusBadRequest:
		return nil, nil
	case answer.Status < 200 || answer.Status > 299:
		return nil, &engine.CannotJudge{Reason: fmt.Sprintf("a registration is answered with status %d", answer.Status)}
	}
	var made registeredClient
	if err := json.Unmarshal(answer.Body, &made); err != nil || made.ID == "" || made.RedirectURIs == nil {
		return nil, &engine.CannotJudge{Reason: "a registration is answered without client_id or list", Err: err}
	}
	return &made, nil
}

// authorize opens the authorization page of a client, as a browser without a session does.
func (r *registrar) authorize(
	ctx context.Context, made *registeredClient, redirect, kind string,
) (*engine.Answer, error) {
	address, err := url.Parse(r.issuer.AuthorizationEndpoint)
	if err != nil {
		return nil, &engine.CannotJudge{Reason: "the authorization endpoint cannot be read", Err: err}
	}
	query := address.Query()
	for name, value := range map[string]string{
		"client_id": made.ID, "redirect_uri": redirect, "response_type": kind, "state": "mcp-auth-conformance",
		"code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "code_challenge_method": "S256", // of RFC 7636
		"resource": r.probe.URL(),
	} {
		query.Set(name, value)
	}
	address.RawQuery = query.Encode()
	header := http.Header{"Accept": {"text/html"}}
	return r.probe.Send(ctx, engine.Request{Method: http.MethodGet, URL: address.String(), Header: header})
}

func hostShown(ctx context.Context, p *engine.Probe) error {
	r, err := newRegistrar(ctx, p)
	if err != nil {
		return err
	}
	made, err := r.register(ctx, encodedRedirect)
	if err != nil || made == nil || len(made.RedirectURIs) == 0 {
		return err // refused or left out
	}
	page, err := r.authorize(ctx, made, made.RedirectURIs[0], "code")
	if err != nil {
		return err
	}
	text := html.UnescapeString(string(page.Body))
	switch {
	case strings.Contains(text, encodedASCII):
		return nil
	case strings.Contains(text, encodedShown):
		return p.Mismatch("the host as "+encodedASCII, "a page that shows it as "+encodedShown)
	}
	return &engine.NotApplicable{Reason: "the first page of the authorization does not show the redirect URI"}
}

func untrustedRedirect(ctx context.Context, p *engine.Probe) error {
	r, err := newRegistrar(ctx, p)
	if err != nil {
		return err
	}
	made, err := r.register(ctx, siteRedirect)
	if err != nil {
		return err
	}
	if made == nil || !slices.Contains(made.RedirectURIs, siteRedirect) {
		return &engine.NotApplicable{Reason: "a client cannot register " + siteRedirect}
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
