package discovery

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"mcpentra/client/internal/printable"
)

// Issuer is authorization server metadata (RFC 8414 section 2, OpenID Connect Discovery section 3).
type Issuer struct {
	Issuer                string   `json:"issuer"`
	AuthorizationEndpoint string   `json:"authorization_endpoint"`
	TokenEndpoint         string   `json:"token_endpoint"`
	RegistrationEndpoint  string   `json:"registration_endpoint"`
	RevocationEndpoint    string   `json:"revocation_endpoint"`
	DeviceEndpoint        string   `json:"device_authorization_endpoint"`
	Scopes                []string `json:"scopes_supported"`
	ResponseTypes         []string `json:"response_types_supported"`
	GrantTypes            []string `json:"grant_types_supported"`
	AuthMethods           []string `json:"token_endpoint_auth_methods_supported"`
	SigningAlgs           []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	ChallengeMethods      []string `json:"code_challenge_methods_supported"`
	DPoPAlgs              []string `json:"dpop_signing_alg_values_supported"`
	IssInResponse         bool     `json:"authorization_response_iss_parameter_supported"`
	ClientDocuments       bool     `json:"client_id_metadata_document_supported"`

	// Named is the issuer identifier that the MCP server named. It equals Issuer unless a Fetcher
	// is set to accept a difference.
	Named string `json:"-"`
	// Tenants says that Issuer is Entra ID's template for all tenants, with {tenantid} in place of
	// a tenant's ID.
	Tenants bool `json:"-"`
	// Location is the address of the document. Empty if Assumed.
	Location string `json:"-"`
	// Assumed says that there was no document, and that the endpoints are the default paths of MCP
	// 2025-03-26.
	Assumed bool `json:"-"`
	// Legacy says that the MCP server is of 2025-03-26. Its authorization server need not advertise
	// PKCE.
	Legacy bool `json:"-"`
}

// FindIssuer fetches the metadata of the authorization server that an MCP server named. It tries
// the well-known locations in the order of MCP 2025-11-25, and goes on after each failure. It
// accepts a document only if its issuer is the named one, byte by byte.
func (f *Fetcher) FindIssuer(ctx context.Context, issuer string, server *url.URL) (*Issuer, error) {
	const subject = "discovery: the authorization server that the MCP server names"
	parsed, err := CheckURL(issuer, server)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", subject, err)
	}
	if parsed.RawQuery != "" || parsed.ForceQuery {
		return nil, fmt.Errorf("%s: want a URL without a query, got %q", subject, printable.Text(issuer))
	}
	origin := parsed.Scheme + "://" + parsed.Host
	path := strings.TrimSuffix(parsed.EscapedPath(), "/")
	locations := []string{
		origin + "/.well-known/oauth-authorization-server" + path,
		origin + "/.well-known/openid-configuration" + path,
	}
	if path != "" {
		locations = append(locations, origin+path+"/.well-known/openid-configuration")
	}
	var failures []error
	for _, location := range locations {
		found, err := f.fetchIssuer(ctx, location, issuer, server)
		if err == nil {
			return found, nil
		}
		failures = append(failures, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, fmt.Errorf(
		"discovery: found no usable metadata of the authorization server %s: %w",
		printable.Text(issuer),
		errors.Join(failures...),
	)
}

// fetchIssuer fetches the metadata of an issuer from one location, and checks it.
func (f *Fetcher) fetchIssuer(ctx context.Context, location, issuer string, server *url.URL) (*Issuer, error) {
	found := &Issuer{}
	if err := f.get(ctx, location, found); err != nil {
		return nil, err
	}
	found.Location = location
	if err := f.checkIssuer(found, issuer); err != nil {
		return nil, err
	}
	for _, endpoint := range []struct{ name, address string }{
		{"authorization_endpoint", found.AuthorizationEndpoint},
		{"token_endpoint", found.TokenEndpoint},
		{"registration_endpoint", found.RegistrationEndpoint},
		{"revocation_endpoint", found.RevocationEndpoint},
		{"device_authorization_endpoint", found.DeviceEndpoint},
	} {
		if endpoint.address == "" && endpoint.name != "token_endpoint" {
			continue
		}
		if _, err := CheckURL(endpoint.address, server); err != nil {
			return nil, fmt.Errorf("discovery: %s in %s: %w", endpoint.name, location, err)
		}
		if found.Tenants && !sameOriginText(endpoint.address, issuer) {
			return nil, fmt.Errorf(
				"discovery: %s in %s: want the origin of %s, got %q",
				endpoint.name,
				location,
				printable.Text(issuer),
				printable.Text(endpoint.address),
			)
		}
	}
	return found, nil
}
