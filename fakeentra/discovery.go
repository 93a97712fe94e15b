package fakeentra

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"

	"mcpentra/fakeentra/aadsts"
)

// A document is the v2 discovery document, with its members in the order of the wire. It lacks the
// members that Entra ID lacks, for example code_challenge_methods_supported, grant_types_supported,
// registration_endpoint and authorization_response_iss_parameter_supported. Entra ID sends no iss,
// either (M).
type document struct {
	TokenEndpoint         string            `json:"token_endpoint"`
	TokenAuthMethods      []string          `json:"token_endpoint_auth_methods_supported"`
	JWKS                  string            `json:"jwks_uri"`
	ResponseModes         []string          `json:"response_modes_supported"`
	SubjectTypes          []string          `json:"subject_types_supported"`
	IDTokenAlgorithms     []string          `json:"id_token_signing_alg_values_supported"`
	ResponseTypes         []string          `json:"response_types_supported"`
	Scopes                []string          `json:"scopes_supported"`
	Issuer                string            `json:"issuer"`
	RequestURI            bool              `json:"request_uri_parameter_supported"`
	UserInfo              string            `json:"userinfo_endpoint"`
	AuthorizationEndpoint string            `json:"authorization_endpoint"`
	DeviceEndpoint        string            `json:"device_authorization_endpoint"`
	HTTPLogout            bool              `json:"http_logout_supported"`
	FrontchannelLogout    bool              `json:"frontchannel_logout_supported"`
	EndSession            string            `json:"end_session_endpoint"`
	Claims                []string          `json:"claims_supported"`
	Kerberos              string            `json:"kerberos_endpoint"`
	MTLSAliases           map[string]string `json:"mtls_endpoint_aliases"`
	MTLSBound             bool              `json:"tls_client_certificate_bound_access_tokens"`
	Region                *string           `json:"tenant_region_scope"`
	CloudInstance         string            `json:"cloud_instance_name"`
	CloudGraph            string            `json:"cloud_graph_host_name"`
	MSGraph               string            `json:"msgraph_host"`
	RBAC                  string            `json:"rbac_url"`

	*specMembers
}

func (f *Fake) handleDiscovery(w http.ResponseWriter, r *http.Request) {
	path, problem := f.rules.TenantPath(r.PathValue("tenant"))
	if problem != nil {
		f.writeDiscoveryError(w, r, problem)
		return
	}
	userInfoOrigin := f.graphURL
	if f.backchannel != f.authority {
		userInfoOrigin = f.backchannel
	}
	base := f.authority + "/" + path.Segment
	back := f.backchannel + "/" + path.Segment
	f.writeDiscovery(w, "v2 "+path.Segment+appQuery(r), func() any {
		return document{
			TokenEndpoint: back + "/oauth2/v2.0/token",
			TokenAuthMethods: []string{
				"client_secret_post",
				"private_key_jwt",
				"client_secret_basic",
				"self_signed_tls_client_auth",
			},
			JWKS:                  back + "/discovery/v2.0/keys" + appQuery(r),
			ResponseModes:         []string{"query", "fragment", "form_post"},
			SubjectTypes:          []string{"pairwise"},
			IDTokenAlgorithms:     []string{"RS256"},
			ResponseTypes:         []string{"code", "id_token", "code id_token", "id_token token"},
			Scopes:                []string{"openid", "profile", "email", "offline_access"},
			Issuer:                path.Issuer,
			UserInfo:              userInfoOrigin + "/oidc/userinfo",
			AuthorizationEndpoint: base + "/oauth2/v2.0/authorize",
			DeviceEndpoint:        back + "/oauth2/v2.0/devicecode",
			HTTPLogout:            true,
			FrontchannelLogout:    true,
			EndSession:            base + "/oauth2/v2.0/logout",
			Claims: []string{
				"sub",
				"iss",
				"cloud_instance_name",
				"cloud_instance_host_name",
				"cloud_graph_host_name",
				"msgraph_host",
				"aud",
				"exp",
				"iat",
				"auth_time",
				"acr",
				"nonce",
				"preferred_username",
				"name",
				"tid",
				"ver",
				"at_hash",
				"c_hash",
				"email",
			},
			Kerberos: base + "/kerberos",
			MTLSAliases: map[string]string{
				"token_endpoint": f.cloud.mtls + "/" + path.Segment + "/oauth2/v2.0/token",
			},
			MTLSBound:     true,
			Region:        path.Region(),
			CloudInstance: f.cloud.instance,
			CloudGraph:    f.cloud.azureADGraph,
			MSGraph:       bareHost(f.graphURL),
			RBAC:          f.cloud.rbac,
			specMembers:   newSpecMembers(f.config.Face, path, back),
		}
	})
}

// A documentV1 is the v1 discovery document. A client that validates v1 tokens needs its issuer.
type documentV1 struct {
	TokenEndpoint         string   `json:"token_endpoint"`
	TokenAuthMethods      []string `json:"token_endpoint_auth_methods_supported"`
	JWKS                  string   `json:"jwks_uri"`
	ResponseModes         []string `json:"response_modes_supported"`
	SubjectTypes          []string `json:"subject_types_supported"`
	IDTokenAlgorithms     []string `json:"id_token_signing_alg_values_supported"`
	ResponseTypes         []string `json:"response_types_supported"`
	Scopes                []string `json:"scopes_supported"`
	Issuer                string   `json:"issuer"`
	MultiRefreshToken     bool     `json:"microsoft_multi_refresh_token"`
	AuthorizationEndpoint string   `json:"authorization_endpoint"`
	DeviceEndpoint        string   `json:"device_authorization_endpoint"`
	HTTPLogout            bool     `json:"http_logout_supported"`
	FrontchannelLogout    bool     `json:"frontchannel_logout_supported"`
	EndSession            string   `json:"end_session_endpoint"`
	Claims                []string `json:"claims_supported"`
	CheckSession          string   `json:"check_session_iframe"`
	UserInfo              string   `json:"userinfo_endpoint"`
	Kerberos              string   `json:"kerberos_endpoint"`
	Region                *string  `json:"tenant_region_scope"`
	CloudInstance         string   `json:"cloud_instance_name"`
	CloudGraph            string   `json:"cloud_graph_host_name"`
	MSGraph               string   `json:"msgraph_host"`
	RBAC                  string   `json:"rbac_url"`
}

func (f *Fake) handleDiscoveryV1(w http.ResponseWriter, r *http.Request) {
	path, problem := f.rules.TenantPath(r.PathValue("tenant"))
	if problem != nil {
		f.writeDiscoveryError(w, r, problem)
		return
	}
	base := f.authority + "/" + path.Segment
	back := f.backchannel + "/" + path.Segment
	f.writeDiscovery(w, "v1 "+path.Segment+appQuery(r), func() any {
		return documentV1{
			TokenEndpoint:         back + "/oauth2/token",
			TokenAuthMethods:      []string{"client_secret_post", "private_key_jwt", "client_secret_basic"},
			JWKS:                  back + "/discovery/keys" + appQuery(r),
			ResponseModes:         []string{"query", "fragment", "form_post"},
			SubjectTypes:          []string{"pairwise"},
			IDTokenAlgorithms:     []string{"RS256"},
			ResponseTypes:         []string{"code", "id_token", "code id_token", "token id_token", "token"},
			Scopes:                []string{"openid"},
			Issuer:                path.V1Issuer,
			MultiRefreshToken:     true,
			AuthorizationEndpoint: base + "/oauth2/authorize",
			DeviceEndpoint:        back + "/oauth2/devicecode",
			HTTPLogout:            true,
			FrontchannelLogout:    true,
			EndSession:            base + "/oauth2/logout",
			Claims: []string{
				"sub",
				"iss",
				"cloud_instance_name",
				"cloud_instance_host_name",
				"cloud_graph_host_name",
				"msgraph_host",
				"aud",
				"exp",
				"iat",
				"auth_time",
				"acr",
				"amr",
				"nonce",
				"email",
				"given_name",
				"family_name",
				"nickname",
			},
			CheckSession:  base + "/oauth2/checksession",
			UserInfo:      back + "/openid/userinfo",
			Kerberos:      base + "/kerberos",
			Region:        path.Region(),
			CloudInstance: f.cloud.instance,
			CloudGraph:    f.cloud.azureADGraph,
			MSGraph:       bareHost(f.graphURL),
			RBAC:          f.cloud.rbac,
		}
	})
}

// writeDiscovery answers with a discovery document. It makes each document only once.
func (f *Fake) writeDiscovery(w http.ResponseWriter, name string, document func() any) {
	text := f.state.Document(name, func() []byte {
		text, err := json.Marshal(document())
		if err != nil {
			panic(err) // our own structs
		}
		return text
	})
	openHeaders(w)
	_, _ = w.Write(text)
}

// appQuery copies the parameter appid to jwks_uri, because some apps have their own signing key.
func appQuery(r *http.Request) string {
	if app := r.URL.Query().Get("appid"); app != "" {
		return "?appid=" + url.QueryEscape(app)
	}
	return ""
}

// writeOpenDocument answers with a public document. Scripts of any site may read it.
func writeOpenDocument(w http.ResponseWriter, document any) {
	openHeaders(w)
	writeJSON(w, http.StatusOK, document)
}

// openHeaders sets the headers of public documents, as recorded in 2021 (M: the same today).
func openHeaders(w http.ResponseWriter) {
	header := w.Header()
	header.Set("Cache-Control", "max-age=86400, private")
	header.Set("Access-Control-Allow-Origin", "*")
	header.Set("Access-Control-Allow-Methods", "GET, OPTIONS")
	header.Set("Content-Type", "application/json; charset=utf-8")
	header.Set("P3P", `CP="DSP CUR OTPi IND OTRi ONL FIN"`)
}

func writeJSON(w http.ResponseWriter, status int, document any) {
	text, err := json.Marshal(document)
	if err != nil {
		panic(err) // our own structs
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	if answer, ok := w.(*bufferedResponse); ok {
		answer.body = *bytes.NewBuffer(text) // no copy
		return
	}
	_, _ = w.Write(text)
}

// writeDiscoveryError answers with an error of the metadata endpoints. Only these have the error
// code invalid_tenant for an unknown tenant.
func (f *Fake) writeDiscoveryError(w http.ResponseWriter, r *http.Request, problem *aadsts.Error) {
	if problem.Number == 90002 {
		problem.Code = "invalid_tenant"
	}
	w.Header().Set("Access-Control-Allow-Origin", "*")
	f.writeError(w, r, problem)
}

// handlePreflight lets scripts of any site read the public documents.
func handlePreflight(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Access-Control-Allow-Methods", "GET, OPTIONS")
	w.WriteHeader(http.StatusOK)
}
