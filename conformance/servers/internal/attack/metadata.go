package attack

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/bench"
)

// Bare sends a request without credentials and returns its refusal.
func Bare(ctx context.Context, p *bench.Probe) (*bench.Answer, bench.Challenge, error) {
	answer, err := p.WantRefused(ctx, bench.Request{})
	if err != nil {
		return nil, nil, err
	}
	found, err := p.Challenge(answer)
	return answer, found, err
}

type IssuerDocument struct {
	Issuer                string   `json:"issuer"`
	AuthorizationEndpoint string   `json:"authorization_endpoint"`
	TokenEndpoint         string   `json:"token_endpoint"`
	RegistrationEndpoint  string   `json:"registration_endpoint"`
	ResponseTypes         []string `json:"response_types_supported"`
	ChallengeMethods      []string `json:"code_challenge_methods_supported"`
	JWKSURI               string   `json:"jwks_uri"`
}

// FindIssuer gets the document of the first authorization server that the protected resource
// metadata names.
func FindIssuer(ctx context.Context, p *bench.Probe) (*IssuerDocument, *bench.Answer, string, error) {
	resource, _, err := FindMetadata(ctx, p)
	if err != nil {
		return nil, nil, "", &check.CannotJudge{
			Reason: "no protected resource metadata names an authorization server",
			Err:    err,
		}
	}
	if len(resource.AuthorizationServers) == 0 {
		return nil, nil, "", &check.CannotJudge{Reason: "the protected resource metadata names no authorization server"}
	}
	issuer := resource.AuthorizationServers[0]
	parsed, err := url.Parse(issuer)
	if err != nil || parsed.Host == "" {
		return nil, nil, "", &check.CannotJudge{Reason: "the authorization server's URL cannot be read", Err: err}
	}
	origin := parsed.Scheme + "://" + parsed.Host
	path := strings.TrimSuffix(parsed.EscapedPath(), "/")
	candidates := []string{
		origin + "/.well-known/oauth-authorization-server" + path,
		origin + "/.well-known/openid-configuration" + path,
	}
	if path != "" {
		candidates = append(candidates, origin+path+"/.well-known/openid-configuration")
	}
	for _, address := range candidates {
		var document IssuerDocument
		var answer *bench.Answer
		if answer, err = p.JSON(ctx, address, &document); err == nil {
			return &document, answer, issuer, nil
		}
	}
	return nil, nil, "", err
}

type ProtectedResource struct {
	Resource             string   `json:"resource"`
	AuthorizationServers []string `json:"authorization_servers"`
	BearerMethods        []string `json:"bearer_methods_supported"`
	Scopes               []string `json:"scopes_supported"`
}

// WellKnown are the addresses where a document may be, the one with the path first.
func WellKnown(p *bench.Probe) []string {
	endpoint, err := url.Parse(p.URL())
	if err != nil {
		return []string{p.URL(), p.URL()}
	}
	root := endpoint.Scheme + "://" + endpoint.Host + "/.well-known/oauth-protected-resource"
	return []string{root + strings.TrimSuffix(endpoint.EscapedPath(), "/"), root}
}

// FindMetadata gets the document as a client does: where the challenge says, or at the well-known
// locations.
func FindMetadata(ctx context.Context, p *bench.Probe) (*ProtectedResource, *bench.Answer, error) {
	candidates := WellKnown(p)
	if _, found, err := Bare(ctx, p); err == nil && found["resource_metadata"] != "" {
		candidates = append([]string{found["resource_metadata"]}, candidates...)
	}
	var last error
	for _, address := range candidates {
		var document ProtectedResource
		answer, err := p.JSON(ctx, address, &document)
		if err == nil && document.Resource != "" {
			return &document, answer, nil
		}
		if err == nil {
			err = p.Mismatch("a document with the member resource", "one without")
		}
		var mismatch *check.Mismatch
		if !errors.As(err, &mismatch) && last != nil {
			continue // no answer from an address that somebody else chose
		}
		last = err
	}
	return nil, nil, last
}
