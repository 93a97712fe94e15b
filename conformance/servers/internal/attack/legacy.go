package attack

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/bench"
)

// Origin returns the origin of the endpoint: its URL without the path, where clients of 2025-03-26
// look for the authorization server.
func Origin(p *bench.Probe) (string, error) {
	endpoint, err := url.Parse(p.URL())
	if err != nil || endpoint.Host == "" {
		return "", &check.CannotJudge{Reason: "the endpoint's URL is malformed", Err: err}
	}
	return endpoint.Scheme + "://" + endpoint.Host, nil
}

// FetchIssuer fetches authorization server metadata at an address, as a client of 2025-03-26 does.
// It returns nil if there is none.
func FetchIssuer(ctx context.Context, p *bench.Probe, address string) (*IssuerDocument, *bench.Answer, error) {
	answer, err := p.Send(ctx, bench.Request{
		Method: http.MethodGet,
		URL:    address,
		Header: http.Header{
			"Accept":               {"application/json"},
			"Mcp-Protocol-Version": {string(check.R20250326)},
		},
	})
	if err != nil {
		return nil, nil, err
	}
	document := &IssuerDocument{}
	err = json.Unmarshal(answer.Body, document)
	if err != nil || answer.Status != http.StatusOK || document.TokenEndpoint == "" {
		return nil, answer, nil
	}
	return document, answer, nil
}

// LegacyIssuer returns the endpoints that a client of 2025-03-26 uses: the endpoints in metadata at
// the origin, or the default endpoints there. Published says that there is metadata. A server
// that has protected resource metadata instead gives a *check.NotApplicable.
func LegacyIssuer(ctx context.Context, p *bench.Probe) (document *IssuerDocument, published bool, err error) {
	origin, err := Origin(p)
	if err != nil {
		return nil, false, err
	}
	document, _, err = FetchIssuer(ctx, p, origin+"/.well-known/oauth-authorization-server")
	if err != nil || document != nil {
		return document, document != nil, err
	}
	if _, _, err := FindMetadata(ctx, p); err == nil {
		return nil, false, &check.NotApplicable{Reason: "the server names another authorization server"}
	}
	document = &IssuerDocument{
		Issuer:                origin,
		AuthorizationEndpoint: origin + "/authorize",
		TokenEndpoint:         origin + "/token",
		RegistrationEndpoint:  origin + "/register",
	}
	return document, false, nil
}

// NewLegacyRegistrar returns a Registrar at the endpoints of LegacyIssuer, after a client without a
// flaw has registered there.
func NewLegacyRegistrar(ctx context.Context, p *bench.Probe) (*Registrar, *RegisteredClient, error) {
	document, _, err := LegacyIssuer(ctx, p)
	if err != nil {
		return nil, nil, err
	}
	if document.RegistrationEndpoint == "" {
		return nil, nil, &check.NotApplicable{Reason: "the authorization server offers no registration"}
	}
	r := &Registrar{Issuer: document, probe: p}
	client, err := r.Register(ctx, LoopbackRedirect)
	if err == nil && client == nil {
		err = &check.NotApplicable{Reason: "the authorization server registers no client of this kind"}
	}
	return r, client, err
}
