package discovery

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
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

	// Named is the identifier that the MCP server named. It is Issuer unless a Fetcher is told to
	// be tolerant.
	Named string `json:"-"`
	// Tenants says that Issuer is Entra ID's template for all tenants, in which {tenantid} stands
	// for one.
	Tenants bool `json:"-"`
	// Location is the address that the document was found at, empty when there was none and the
	// default paths of MCP 2025-03-26 are used.
	Location string `json:"-"`
	// Assumed says that there was no document: the endpoints are MCP 2025-03-26's default paths.
	Assumed bool `json:"-"`
	// Legacy says that this is the authorization server of an MCP server of 2025-03-26, for which
	// PKCE need not be advertised.
	Legacy bool `json:"-"`
}

// ErrNoPKCE says that an authorization server does not advertise PKCE with S256. A client has to
// stop there (MCP 2025-11-25, Authorization Code Protection).
var ErrNoPKCE = errors.New("the authorization server does not advertise PKCE with S256 " +
	"(code_challenge_methods_supported), so signing in there would not be protected")

// FindIssuer gets the metadata of the authorization server that an MCP server has named: at the
// well-known locations in the order of MCP 2025-11-25, going on after any failure. A document
// counts only if its issuer is the one asked for, byte by byte.
func (f *Fetcher) FindIssuer(ctx context.Context, issuer string, server *url.URL) (*Issuer, error) {
	parsed, err := CheckURL(issuer, server)
	if err != nil {
		return nil, fmt.Errorf("discovery: the authorization server: %w", err)
	}
	if parsed.RawQuery != "" || parsed.ForceQuery {
		return nil, fmt.Errorf("discovery: the authorization server: want a URL without a query, got %q", clip(issuer))
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
	var failures []error
	for _, candidate := range candidates {
		found, err := f.issuer(ctx, candidate, issuer, server)
		if err == nil {
			return found, nil
		}
		failures = append(failures, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, fmt.Errorf(
		"discovery: no usable metadata of the authorization server %s: %w",
		clip(issuer),
		errors.Join(failures...),
	)
}

// FindLegacyIssuer is for a server without protected resource metadata: its origin is its
// authorization server, with metadata at the root, or else with default paths (MCP 2025-03-26,
// section 2.3). PKCE is used in any case; that revision does not ask for it to be advertised.
func (f *Fetcher) FindLegacyIssuer(ctx context.Context, server *url.URL) (*Issuer, error) {
	origin := server.Scheme + "://" + server.Host
	found, err := f.issuer(ctx, origin+"/.well-known/oauth-authorization-server", origin, server)
	if err == nil {
		found.Legacy = true
		return found, nil
	}
	if !errors.Is(err, errAbsent) {
		return nil, err
	}
	return &Issuer{
		Issuer:                origin,
		Named:                 origin,
		Assumed:               true,
		Legacy:                true,
		AuthorizationEndpoint: origin + "/authorize",
		TokenEndpoint:         origin + "/token",
		RegistrationEndpoint:  origin + "/register",
	}, nil
}

func (f *Fetcher) issuer(ctx context.Context, location, issuer string, server *url.URL) (*Issuer, error) {
	found := &Issuer{}
	if err := f.get(ctx, location, found); err != nil {
		return nil, err
	}
	found.Location = location
	if err := f.checkIssuer(found, issuer); err != nil {
		return nil, err
	}
	for name, endpoint := range map[string]string{
		"authorization_endpoint":        found.AuthorizationEndpoint,
		"token_endpoint":                found.TokenEndpoint,
		"registration_endpoint":         found.RegistrationEndpoint,
		"revocation_endpoint":           found.RevocationEndpoint,
		"device_authorization_endpoint": found.DeviceEndpoint,
	} {
		if endpoint == "" && name != "token_endpoint" {
			continue
		}
		if _, err := CheckURL(endpoint, server); err != nil {
			return nil, fmt.Errorf("discovery: %s in %s: %w", name, location, err)
		}
		if found.Tenants && !sameOriginAs(endpoint, issuer) {
			return nil, fmt.Errorf("discovery: %s in %s is of another origin than %s", name, location, clip(issuer))
		}
	}
	return found, nil
}

// CheckCodeFlow says why a person is not sent to an authorization server: it does not do the
// authorization code flow, or does not advertise PKCE with S256, which is ErrNoPKCE. unadvertised
// lets one pass that advertises no PKCE at all, as Entra ID, which does it all the same; PKCE is
// used in any case.
func (i *Issuer) CheckCodeFlow(unadvertised bool) error {
	switch {
	case i.AuthorizationEndpoint == "":
		return fmt.Errorf("discovery: %s names no authorization_endpoint", i.Location)
	case len(i.ResponseTypes) > 0 && !slices.Contains(i.ResponseTypes, "code"):
		return fmt.Errorf("discovery: %s does not offer response_type code", i.Location)
	case len(i.ChallengeMethods) == 0 && (unadvertised || i.Legacy), slices.Contains(i.ChallengeMethods, "S256"):
		return nil
	case len(i.ChallengeMethods) == 0:
		const hint = "--entra-unadvertised-pkce (Entra.UnadvertisedPKCE) goes on all the same, as Entra ID needs"
		return fmt.Errorf("discovery: %s: %w; %s", i.Location, ErrNoPKCE, hint)
	}
	return fmt.Errorf("discovery: %s: %w", i.Location, ErrNoPKCE)
}
