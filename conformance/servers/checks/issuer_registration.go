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

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// issuerRegistrationChecks are checks of authorization-server/registration: what an authorization
// server makes of the redirect URIs of clients that register themselves (RFC 7591). Each check
// registers at most two clients. They name a host of the domain example, which belongs to no
// person.
func issuerRegistrationChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/registration/own-origin",
				Level:     check.Policy,
				Revisions: withMetadata,
				Reference: "RFC 9700 section 4.11: such an answer looks like a step of the server's own sign-in",
				Sentence:  "A client cannot register the server's own authorization endpoint as its redirect URI.",
			},
			Run: issuerRegistrationOwnOrigin,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/registration/some-usable",
				Level:     check.Policy,
				Revisions: withMetadata,
				Reference: "RFC 7591 section 3.2.1: the server may leave out what it cannot use, and says so in " +
					"its answer",
				Sentence: "An unusable redirect URI does not spoil a registration that has a usable one, too. " +
					"Common clients register several.",
			},
			Run: issuerRegistrationSomeUsable,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/registration/host-shown",
				Level:     check.Should,
				Revisions: withMetadata,
				Reference: "RFC 3986 section 3.2.2; MCP security best practices, Confused Deputy Problem",
				Sentence: "A consent page shows the host that the browser visits, and not letters that " +
					"imitate another.",
			},
			Run: hostShown,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/registration/media-type",
				Level:     check.Policy,
				Severity:  check.Low,
				Revisions: withMetadata,
				Reference: "RFC 7591 section 3.1; Fetch standard, CORS-safelisted request header",
				Sentence: "A registration that is not application/json is refused: " +
					"any page can send one with a visitor's browser.",
			},
			Run: registersText,
		},
	}
}

// issuerRegistrationOwnOrigin tries authorization-server/registration/own-origin.
func issuerRegistrationOwnOrigin(ctx context.Context, p *bench.Probe) error {
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
}

// issuerRegistrationSomeUsable tries authorization-server/registration/some-usable.
func issuerRegistrationSomeUsable(ctx context.Context, p *bench.Probe) error {
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
}

// registrationOf is the metadata of an issuer at which clients register themselves.
func registrationOf(ctx context.Context, p *bench.Probe) (*attack.IssuerDocument, error) {
	document, _, _, err := attack.FindIssuer(ctx, p)
	switch {
	case err != nil:
		return nil, &check.CannotJudge{Reason: "the authorization server has no metadata", Err: err}
	case document.RegistrationEndpoint == "" || document.TokenEndpoint == "":
		return nil, &check.NotApplicable{Reason: "no client registers itself at the authorization server"}
	}
	return document, nil
}

// registersText sends what a page can send without asking first.
func registersText(ctx context.Context, p *bench.Probe) error {
	document, err := registrationOf(ctx, p)
	if err != nil {
		return err
	}
	answer, _, err := register(ctx, p, document, "text/plain", "none")
	if err != nil {
		return err
	}
	if answer.Status == http.StatusCreated || answer.Status == http.StatusOK {
		return p.Mismatch("415 or 400 for a registration as text/plain", fmt.Sprint(answer.Status))
	}
	return nil
}

// A secretClient is one that has registered with a secret.
type secretClient struct {
	ID     string `json:"client_id"`
	Secret string `json:"client_secret"`
	Method string `json:"token_endpoint_auth_method"`
}

func register(
	ctx context.Context, p *bench.Probe, document *attack.IssuerDocument, mediaType, method string,
) (*bench.Answer, *secretClient, error) {
	body := `{"client_name":"conformance check","redirect_uris":["http://127.0.0.1:1/callback"],` +
		`"token_endpoint_auth_method":"` + method + `"}`
	answer, err := p.Send(ctx, bench.Request{
		URL:    document.RegistrationEndpoint,
		Header: http.Header{"Content-Type": {mediaType}},
		Body:   []byte(body),
	})
	if err != nil {
		return nil, nil, err
	}
	made := &secretClient{}
	if json.Unmarshal(answer.Body, made) != nil {
		made = &secretClient{}
	}
	return answer, made, nil
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
	probe  *bench.Probe
	issuer *attack.IssuerDocument
	status int // of the last answer
}

// A registeredClient is what the server says of a client that it has registered.
type registeredClient struct {
	ID           string   `json:"client_id"`
	RedirectURIs []string `json:"redirect_uris"`
}

// newRegistrar registers a client with nothing wrong, so that a refusal afterwards means something.
func newRegistrar(ctx context.Context, p *bench.Probe) (*registrar, error) {
	document, _, _, err := attack.FindIssuer(ctx, p)
	var missing *check.Mismatch
	if errors.As(err, &missing) {
		return nil, &check.NotApplicable{Reason: "there is no metadata of an authorization server"}
	}
	if err != nil {
		return nil, err
	}
	if document.RegistrationEndpoint == "" {
		return nil, &check.NotApplicable{Reason: "the authorization server offers no registration"}
	}
	r := &registrar{probe: p, issuer: document}
	made, err := r.register(ctx, loopbackRedirect)
	if err != nil {
		return nil, err
	}
	if made == nil {
		reason := fmt.Sprintf("a client with the redirect URI %s is refused with status %d", loopbackRedirect, r.status)
		return nil, &check.CannotJudge{Reason: reason}
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
		"client_name":                "mcp-auth-conformance",
		"redirect_uris":              redirects,
		"application_type":           kind,
		"grant_types":                []string{"authorization_code"},
		"response_types":             []string{"code"},
		"token_endpoint_auth_method": "none",
	})
	if err != nil {
		return nil, err
	}
	header := http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}}
	answer, err := r.probe.Send(ctx, bench.Request{URL: r.issuer.RegistrationEndpoint, Header: header, Body: body})
	if err != nil {
		return nil, err
	}
	r.status = answer.Status
	switch {
	case answer.Status == http.StatusBadRequest:
		return nil, nil
	case answer.Status < 200 || answer.Status > 299:
		return nil, &check.CannotJudge{Reason: fmt.Sprintf("a registration is answered with status %d", answer.Status)}
	}
	var made registeredClient
	if err := json.Unmarshal(answer.Body, &made); err != nil || made.ID == "" || made.RedirectURIs == nil {
		return nil, &check.CannotJudge{Reason: "a registration is answered without client_id or list", Err: err}
	}
	return &made, nil
}

// authorize opens the authorization page of a client, as a browser without a session does.
func (r *registrar) authorize(
	ctx context.Context, made *registeredClient, redirect, kind string,
) (*bench.Answer, error) {
	address, err := url.Parse(r.issuer.AuthorizationEndpoint)
	if err != nil {
		return nil, &check.CannotJudge{Reason: "the authorization endpoint cannot be read", Err: err}
	}
	query := address.Query()
	for name, value := range map[string]string{
		"client_id":             made.ID,
		"redirect_uri":          redirect,
		"response_type":         kind,
		"state":                 "mcp-auth-conformance",
		"code_challenge":        "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
		"code_challenge_method": "S256", // of RFC 7636
		"resource":              r.probe.URL(),
	} {
		query.Set(name, value)
	}
	address.RawQuery = query.Encode()
	header := http.Header{"Accept": {"text/html"}}
	return r.probe.Send(ctx, bench.Request{Method: http.MethodGet, URL: address.String(), Header: header})
}

func hostShown(ctx context.Context, p *bench.Probe) error {
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
	return &check.NotApplicable{Reason: "the first page of the authorization does not show the redirect URI"}
}
