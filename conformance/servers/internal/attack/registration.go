package attack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/bench"
)

// The redirect URIs that checks register.
const (
	LoopbackRedirect = "http://127.0.0.1:33418/callback"
	SiteRedirect     = "https://" + SiteHost + "/callback"
	SiteHost         = "mcp-auth-conformance.example"

	// EncodedRedirect is a percent-encoded host whose first and third letters are Cyrillic.
	// EncodedShown is how it looks, and EncodedASCII is the host that a browser visits.
	EncodedRedirect = "https://%D1%81l%D0%B0ude.example/callback"
	EncodedShown    = "сlаude.example"
	EncodedASCII    = "xn--lude-53d4h.example"
)

// A Registrar registers clients at the authorization server that a target names.
type Registrar struct {
	Issuer *IssuerDocument
	Status int // of the last registration

	probe *bench.Probe
}

// A RegisteredClient is a client as the answer to its registration describes it.
type RegisteredClient struct {
	ID           string   `json:"client_id"`
	RedirectURIs []string `json:"redirect_uris"`
}

// NewRegistrar registers a client without a flaw, so that a refusal afterwards means something.
func NewRegistrar(ctx context.Context, p *bench.Probe) (*Registrar, error) {
	document, _, _, err := FindIssuer(ctx, p)
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
	r := &Registrar{Issuer: document, probe: p}
	client, err := r.Register(ctx, LoopbackRedirect)
	if err != nil {
		return nil, err
	}
	if client == nil {
		reason := fmt.Sprintf("a client with the redirect URI %s is refused with status %d", LoopbackRedirect, r.Status)
		return nil, &check.CannotJudge{Reason: reason}
	}
	return r, nil
}

// Register registers a public client. It returns nil if the server refuses the registration as
// invalid.
func (r *Registrar) Register(ctx context.Context, redirects ...string) (*RegisteredClient, error) {
	kind := "web"
	if slices.Contains(redirects, LoopbackRedirect) {
		kind = "native"
	}
	body := []byte(JSON(map[string]any{
		"client_name":                "mcp-auth-conformance",
		"redirect_uris":              redirects,
		"application_type":           kind,
		"grant_types":                []string{"authorization_code"},
		"response_types":             []string{"code"},
		"token_endpoint_auth_method": "none",
	}))
	header := http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}}
	answer, err := r.probe.Send(ctx, bench.Request{URL: r.Issuer.RegistrationEndpoint, Header: header, Body: body})
	if err != nil {
		return nil, err
	}
	r.Status = answer.Status
	switch {
	case answer.Status == http.StatusBadRequest:
		return nil, nil
	case answer.Status < 200 || answer.Status > 299:
		return nil, &check.CannotJudge{Reason: fmt.Sprintf("a registration is answered with status %d", answer.Status)}
	}
	var client RegisteredClient
	err = json.Unmarshal(answer.Body, &client)
	if err != nil || client.ID == "" || client.RedirectURIs == nil {
		return nil, &check.CannotJudge{
			Reason: "the answer to a registration has no client_id or no redirect_uris",
			Err:    err,
		}
	}
	return &client, nil
}

// Authorize opens the authorization page of a client, as a browser without a session does.
func (r *Registrar) Authorize(
	ctx context.Context, client *RegisteredClient, redirect, responseType string,
) (*bench.Answer, error) {
	address, err := url.Parse(r.Issuer.AuthorizationEndpoint)
	if err != nil {
		return nil, &check.CannotJudge{Reason: "the authorization endpoint is not a URL", Err: err}
	}
	query := address.Query()
	query.Set("client_id", client.ID)
	query.Set("redirect_uri", redirect)
	query.Set("response_type", responseType)
	query.Set("state", "mcp-auth-conformance")
	query.Set("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM") // of RFC 7636 appendix B
	query.Set("code_challenge_method", "S256")
	query.Set("resource", r.probe.URL())
	address.RawQuery = query.Encode()
	header := http.Header{"Accept": {"text/html"}}
	return r.probe.Send(ctx, bench.Request{Method: http.MethodGet, URL: address.String(), Header: header})
}

// FindRegistration returns the metadata of an issuer where clients register themselves.
func FindRegistration(ctx context.Context, p *bench.Probe) (*IssuerDocument, error) {
	document, _, _, err := FindIssuer(ctx, p)
	switch {
	case err != nil:
		return nil, &check.CannotJudge{Reason: "the authorization server has no metadata", Err: err}
	case document.RegistrationEndpoint == "" || document.TokenEndpoint == "":
		return nil, &check.NotApplicable{Reason: "no client registers itself at the authorization server"}
	}
	return document, nil
}

// A ConfidentialClient is a client that may have registered with a secret.
type ConfidentialClient struct {
	ID     string `json:"client_id"`
	Secret string `json:"client_secret"`
	Method string `json:"token_endpoint_auth_method"`
}

// RegisterAs sends a registration with a media type and a client authentication method. The client
// is empty if the server refuses it.
func RegisterAs(
	ctx context.Context, p *bench.Probe, document *IssuerDocument, mediaType, method string,
) (*bench.Answer, *ConfidentialClient, error) {
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
	client := &ConfidentialClient{}
	if err := json.Unmarshal(answer.Body, client); err != nil {
		return answer, &ConfidentialClient{}, nil
	}
	return answer, client, nil
}
