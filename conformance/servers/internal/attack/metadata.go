package attack

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/bench"
)

// An IssuerDocument is authorization server metadata (RFC 8414).
type IssuerDocument struct {
	Issuer                string   `json:"issuer"`
	AuthorizationEndpoint string   `json:"authorization_endpoint"`
	TokenEndpoint         string   `json:"token_endpoint"`
	RegistrationEndpoint  string   `json:"registration_endpoint"`
	ResponseTypes         []string `json:"response_types_supported"`
	GrantTypes            []string `json:"grant_types_supported"`
	ChallengeMethods      []string `json:"code_challenge_methods_supported"`
	JWKSURI               string   `json:"jwks_uri"`
}

// A ProtectedResource is protected resource metadata (RFC 9728).
type ProtectedResource struct {
	Resource             string   `json:"resource"`
	AuthorizationServers []string `json:"authorization_servers"`
	BearerMethods        []string `json:"bearer_methods_supported"`
	Scopes               []string `json:"scopes_supported"`
}

// Unauthenticated sends a request without credentials, wants it refused, and reads the challenge.
func Unauthenticated(ctx context.Context, p *bench.Probe) (*bench.Answer, bench.Challenge, error) {
	answer, err := p.WantRefused(ctx, bench.Request{})
	if err != nil {
		return nil, nil, err
	}
	challenge, err := p.Challenge(answer)
	return answer, challenge, err
}

// WellKnown returns the addresses where the metadata may be. The address with the endpoint's path
// comes first.
func WellKnown(p *bench.Probe) []string { return bench.WellKnown(p.URL()) }

// WellKnownOf returns the well-known location of the metadata of a resource (RFC 9728 section 3.1).
func WellKnownOf(resource string) string {
	parsed, err := url.Parse(resource)
	if err != nil {
		return resource
	}
	const path = "/.well-known/oauth-protected-resource"
	return parsed.Scheme + "://" + parsed.Host + path + strings.TrimSuffix(parsed.EscapedPath(), "/")
}

// ContainsEndpoint reports whether a resource is the endpoint, its origin, or a path above it.
func ContainsEndpoint(resource, endpoint string) bool {
	above, err := url.Parse(resource)
	below, err2 := url.Parse(endpoint)
	if err != nil || err2 != nil || above.RawQuery != below.RawQuery || above.Fragment != "" {
		return false
	}
	isSameHost := strings.EqualFold(above.Scheme, below.Scheme) && strings.EqualFold(above.Host, below.Host)
	segments := strings.TrimSuffix(above.EscapedPath(), "/") + "/"
	return isSameHost && strings.HasPrefix(below.EscapedPath()+"/", segments)
}

// FindMetadata fetches the protected resource metadata as a client does: from the address in the
// challenge, or from the well-known locations.
func FindMetadata(ctx context.Context, p *bench.Probe) (*ProtectedResource, *bench.Answer, error) {
	candidates := WellKnown(p)
	if _, challenge, err := Unauthenticated(ctx, p); err == nil && challenge["resource_metadata"] != "" {
		candidates = append([]string{challenge["resource_metadata"]}, candidates...)
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
			continue // the address is unreachable, and an earlier one has answered
		}
		last = err
	}
	return nil, nil, last
}

// FindIssuer fetches the document of the first authorization server that the protected resource
// metadata names. It also returns the answer and the issuer's URL.
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
		return nil, nil, "", &check.CannotJudge{Reason: "the authorization server's issuer is not a URL", Err: err}
	}
	for _, address := range bench.IssuerAddresses(parsed) {
		var document IssuerDocument
		var answer *bench.Answer
		answer, err = p.JSON(ctx, address, &document)
		if err == nil {
			return &document, answer, issuer, nil
		}
	}
	return nil, nil, "", err
}

// NoEmptyArrays wants no member of a document to be an empty array.
func NoEmptyArrays(p *bench.Probe, answer *bench.Answer) error {
	var document map[string]json.RawMessage
	if err := json.Unmarshal(answer.Body, &document); err != nil {
		return p.Mismatch("a JSON object", err.Error())
	}
	for name, value := range document {
		if strings.Join(strings.Fields(string(value)), "") == "[]" {
			return p.Mismatch("no empty arrays", name+" is one")
		}
	}
	return nil
}
