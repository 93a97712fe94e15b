package bench

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mcpentra/conformance/check"
)

// Metadata is the authorization server's metadata (RFC 8414 section 2, OpenID Connect Discovery
// section 3).
type Metadata struct {
	Issuer                string   `json:"issuer"`
	AuthorizationEndpoint string   `json:"authorization_endpoint"`
	TokenEndpoint         string   `json:"token_endpoint"`
	RegistrationEndpoint  string   `json:"registration_endpoint"`
	RevocationEndpoint    string   `json:"revocation_endpoint"`
	IntrospectionEndpoint string   `json:"introspection_endpoint"`
	DeviceEndpoint        string   `json:"device_authorization_endpoint"`
	PAREndpoint           string   `json:"pushed_authorization_request_endpoint"`
	UserinfoEndpoint      string   `json:"userinfo_endpoint"`
	JWKS                  string   `json:"jwks_uri"`
	Scopes                []string `json:"scopes_supported"`
	ResponseTypes         []string `json:"response_types_supported"`
	ResponseModes         []string `json:"response_modes_supported"`
	GrantTypes            []string `json:"grant_types_supported"`
	TokenAuthMethods      []string `json:"token_endpoint_auth_methods_supported"`
	AssertionAlgorithms   []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	ChallengeMethods      []string `json:"code_challenge_methods_supported"`
	IssInResponse         bool     `json:"authorization_response_iss_parameter_supported"`
	ClientDocuments       bool     `json:"client_id_metadata_document_supported"`

	// Members are all members of the document.
	Members map[string]json.RawMessage `json:"-"`
}

// OffersCode reports whether the server offers the authorization code grant. A server without
// grant_types_supported offers it (RFC 8414 section 2).
func (m *Metadata) OffersCode() bool {
	return m.GrantTypes == nil || slices.Contains(m.GrantTypes, "authorization_code")
}

// SecretMethod returns the method with which a client with a secret authenticates. It is empty if
// the server has none. Without the member, the method is client_secret_basic (RFC 8414 section 2).
func (m *Metadata) SecretMethod() string {
	methods := []string{"client_secret_basic", "client_secret_post"}
	i := slices.IndexFunc(methods, func(method string) bool { return slices.Contains(m.TokenAuthMethods, method) })
	switch {
	case m.TokenAuthMethods == nil:
		return methods[0]
	case i < 0:
		return ""
	}
	return methods[i]
}

// A Location is a well-known address of metadata, and what the server answers there.
type Location struct {
	URL      string
	IsOpenID bool
	Answer   *Answer
	// Metadata is nil if the answer is not a metadata document: a JSON object with an issuer.
	Metadata *Metadata
}

// Locations asks the addresses where clients look for metadata, in their order (RFC 8414 sections 3
// and 5, OpenID Connect Discovery section 4).
func (p *Probe) Locations(ctx context.Context) ([]Location, error) {
	issuer, err := url.Parse(p.target.URL)
	if err != nil || issuer.Host == "" {
		return nil, &check.CannotJudge{Reason: "the issuer is not a URL", Err: err}
	}
	origin := issuer.Scheme + "://" + issuer.Host
	path := strings.TrimSuffix(issuer.EscapedPath(), "/")
	locations := []Location{
		{URL: origin + "/.well-known/oauth-authorization-server" + path},
		{URL: origin + "/.well-known/openid-configuration" + path, IsOpenID: true},
	}
	if path != "" {
		appended := origin + path + "/.well-known/openid-configuration"
		locations = append(locations, Location{URL: appended, IsOpenID: true})
	}
	for i := range locations {
		answer, err := p.Send(ctx, Request{URL: locations[i].URL})
		if err != nil {
			return nil, err
		}
		locations[i].Answer = answer
		if answer.Status == http.StatusOK {
			locations[i].Metadata = readMetadata(answer.Body)
		}
	}
	return locations, nil
}

// readMetadata reads a metadata document. It returns nil if the text is not one.
func readMetadata(text []byte) *Metadata {
	metadata := &Metadata{}
	if err := json.Unmarshal(text, &metadata.Members); err != nil || metadata.Members["issuer"] == nil {
		return nil
	}
	// A member of a wrong type stays empty. The checks of metadata report it.
	for name, value := range metadata.Members {
		if member, err := json.Marshal(map[string]json.RawMessage{name: value}); err == nil {
			_ = json.Unmarshal(member, metadata)
		}
	}
	return metadata
}

// Metadata returns the document that a client reads first. Without one, the check cannot be done.
// authorization-server/metadata/published reports that.
func (p *Probe) Metadata(ctx context.Context) (*Metadata, error) {
	if p.document != nil {
		return p.document, nil
	}
	locations, err := p.Locations(ctx)
	if err != nil {
		return nil, err
	}
	for _, location := range locations {
		if location.Metadata != nil {
			p.document = location.Metadata
			return p.document, nil
		}
	}
	for _, location := range locations {
		if location.Answer.Status >= http.StatusInternalServerError || location.Answer.IsBusy() {
			return nil, &check.CannotJudge{Reason: location.URL + " answers " + location.Answer.String()}
		}
	}
	return nil, &check.NotApplicable{Reason: "no metadata is published"}
}
