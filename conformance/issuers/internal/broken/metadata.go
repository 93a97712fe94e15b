package broken

import (
	"encoding/json"
	"maps"
	"net/http"
)

func (s *Issuer) metadata() map[string]any {
	grantTypes := []string{"authorization_code", "refresh_token", deviceGrant, appGrant}
	document := map[string]any{
		"issuer":                                s.URL,
		"authorization_endpoint":                s.URL + "/authorize",
		"token_endpoint":                        s.URL + "/token",
		"registration_endpoint":                 s.URL + "/register",
		"revocation_endpoint":                   s.URL + "/revoke",
		"jwks_uri":                              s.URL + "/keys",
		"scopes_supported":                      []string{"read", "write"},
		"response_types_supported":              []string{"code"},
		"grant_types_supported":                 grantTypes,
		"token_endpoint_auth_methods_supported": authMethods,
		"token_endpoint_auth_signing_alg_values_supported": assertionAlgorithms,
		"code_challenge_methods_supported":                 []string{"S256"},
		"authorization_response_iss_parameter_supported":   true,
	}
	document["device_authorization_endpoint"] = s.URL + "/device"
	document["introspection_endpoint"] = s.URL + "/introspect"
	document["userinfo_endpoint"] = s.URL + "/userinfo"
	document["client_id_metadata_document_supported"] = !s.has(AdvertisesNoDocuments)
	if s.has(NamesAnotherIssuer) {
		document["issuer"] = "https://another.example"
	}
	if s.has(HasQueryInIssuer) {
		document["issuer"] = s.URL + "?tenant=1"
	}
	if s.has(HasNoTokenEndpoint) {
		delete(document, "token_endpoint")
	}
	if s.has(HasNoRegistration) {
		delete(document, "registration_endpoint")
	}
	if s.has(HasEmptyArrays) {
		document["ui_locales_supported"] = []string{}
	}
	if s.has(AdvertisesNoPKCE) {
		delete(document, "code_challenge_methods_supported")
	}
	if s.has(NamesPlainHTTP) {
		document["revocation_endpoint"] = "http://as.example/revoke"
	}
	if s.has(ListsNoSigningAlgorithms) {
		delete(document, "token_endpoint_auth_signing_alg_values_supported")
	}
	if s.has(TakesSecretsInBodyOnly) {
		document["token_endpoint_auth_methods_supported"] = []string{"none", "client_secret_post"}
	}
	if s.has(AdvertisesPasswords) {
		document["grant_types_supported"] = []string{"authorization_code", "refresh_token", "password"}
	}
	if s.has(AdvertisesNoIss) {
		delete(document, "authorization_response_iss_parameter_supported")
	}
	return document
}

func (s *Issuer) serveMetadata(w http.ResponseWriter, r *http.Request) {
	if s.has(HasNoMetadata) || s.has(HasOpenIDMetadataOnly) {
		http.NotFound(w, r)
		return
	}
	s.writeDocument(w, s.metadata())
}

// serveOpenIDMetadata serves the document of an OpenID provider.
func (s *Issuer) serveOpenIDMetadata(w http.ResponseWriter, r *http.Request) {
	if s.has(HasNoMetadata) {
		http.NotFound(w, r)
		return
	}
	document := maps.Clone(s.metadata())
	document["subject_types_supported"] = []string{"public"}
	document["id_token_signing_alg_values_supported"] = []string{"ES256"}
	if s.has(LacksKeys) {
		delete(document, "jwks_uri")
	}
	s.writeDocument(w, document)
}

func (s *Issuer) writeDocument(w http.ResponseWriter, document any) {
	kind := "application/json"
	if s.has(ServesMetadataAsText) {
		kind = "text/plain"
	}
	w.Header().Set("Content-Type", kind)
	_ = json.NewEncoder(w).Encode(document)
}

func (s *Issuer) serveKeys(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"keys":[]}`))
}
