package broker

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
)

// metadata is the authorization server's metadata (RFC 8414 section 2).
type metadata struct {
	Issuer                string   `json:"issuer"`
	AuthorizationEndpoint string   `json:"authorization_endpoint"`
	TokenEndpoint         string   `json:"token_endpoint"`
	RegistrationEndpoint  string   `json:"registration_endpoint,omitempty"`
	RevocationEndpoint    string   `json:"revocation_endpoint"`
	DeviceEndpoint        string   `json:"device_authorization_endpoint"`
	RevocationAuthMethods []string `json:"revocation_endpoint_auth_methods_supported"`
	IntrospectionEndpoint string   `json:"introspection_endpoint"`
	IntrospectionMethods  []string `json:"introspection_endpoint_auth_methods_supported"`
	IntrospectionAlgs     []string `json:"introspection_endpoint_auth_signing_alg_values_supported"`
	JWKS                  string   `json:"jwks_uri"`
	Scopes                []string `json:"scopes_supported"`
	ResponseTypes         []string `json:"response_types_supported"`
	ResponseModes         []string `json:"response_modes_supported"`
	GrantTypes            []string `json:"grant_types_supported"`
	TokenAuthMethods      []string `json:"token_endpoint_auth_methods_supported"`
	TokenAuthAlgs         []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	RevocationAuthAlgs    []string `json:"revocation_endpoint_auth_signing_alg_values_supported"`
	ChallengeMethods      []string `json:"code_challenge_methods_supported"`
	IssInResponse         bool     `json:"authorization_response_iss_parameter_supported"`
	ProtectedResources    []string `json:"protected_resources"`
	ClientDocuments       bool     `json:"client_id_metadata_document_supported"`

	SubjectTypes      []string `json:"subject_types_supported,omitempty"`
	IDTokenAlgorithms []string `json:"id_token_signing_alg_values_supported,omitempty"`
}

// authMethods are the authentication methods of the token and revocation endpoints.
var authMethods = []string{authNone, authPost, authBasic, authKey}

// introspectionMethods are the authentication methods of the introspection endpoint.
func introspectionMethods() []string {
	return slices.DeleteFunc(slices.Clone(authMethods), func(method string) bool { return method == authNone })
}

func (b *Broker) handleMetadata(w http.ResponseWriter, r *http.Request) {
	writeDocument(w, b.metadata(r.Context()))
}

// handleOpenIDConfiguration serves the same document under OpenID Connect's name, where clients of
// MCP 2025-11-25 may look for it (RFC 8414 section 5). It adds two members, because parsers of that
// format refuse a document without them. The broker issues no ID token, so the scope openid and its
// response types are missing.
func (b *Broker) handleOpenIDConfiguration(w http.ResponseWriter, r *http.Request) {
	document := b.metadata(r.Context())
	document.SubjectTypes = []string{"public"}
	document.IDTokenAlgorithms = []string{"ES256"}
	writeDocument(w, document)
}

func (b *Broker) metadata(ctx context.Context) metadata {
	grantTypes := []string{codeGrant, refreshGrant, deviceGrant}
	if b.file.offers(ctx, appGrant) {
		grantTypes = append(grantTypes, appGrant)
	}
	at := func(path string) string { return b.config.Issuer + path }
	registration := at("/register")
	if b.config.Clients.Registration.Off {
		registration = ""
	}
	return metadata{
		Issuer:                b.config.Issuer,
		AuthorizationEndpoint: at("/authorize"),
		TokenEndpoint:         at("/token"),
		RegistrationEndpoint:  registration,
		RevocationEndpoint:    at("/revoke"),
		DeviceEndpoint:        at(deviceAuthorizationPath),
		RevocationAuthMethods: authMethods,
		IntrospectionEndpoint: at(introspectionPath),
		IntrospectionMethods:  introspectionMethods(),
		IntrospectionAlgs:     assertionAlgorithms,
		JWKS:                  at("/jwks"),
		Scopes:                b.allScopeNames(),
		ResponseTypes:         []string{"code"},
		ResponseModes:         []string{"query"},
		GrantTypes:            grantTypes,
		TokenAuthMethods:      authMethods,
		TokenAuthAlgs:         assertionAlgorithms,
		RevocationAuthAlgs:    assertionAlgorithms,
		ChallengeMethods:      []string{"S256"},
		IssInResponse:         true,
		ProtectedResources:    b.resourceURLs(),
		ClientDocuments:       b.documents != nil,
	}
}

// writeDocument writes a public document.
func writeDocument(w http.ResponseWriter, document any) {
	text, err := json.Marshal(document)
	if err != nil {
		panic(err) // our own structs
	}
	w.Header().Set("Cache-Control", "public, max-age=300")
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text)
}
