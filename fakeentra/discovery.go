package fakeentra

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
)

const cloudInstanceName = "microsoftonline.com"

// A place is what the first path segment names: one tenant, or a set of tenants that is known only once somebody has
// signed in.
type place struct {
	segment string            // as it stands in the document's endpoints: the tenant's ID, or common, organizations, consumers
	tenant  *directory.Tenant // nil for a set
	issuer  string
}

// place resolves the tenant segment of a request.
func (f *Fake) place(r *http.Request) (*place, *aadsts.Error) {
	name := r.PathValue("tenant")
	switch lower := strings.ToLower(name); lower {
	case "common", "organizations":
		return &place{segment: lower, issuer: f.authority + "/{tenantid}/v2.0"}, nil
	case "consumers":
		return &place{segment: lower, issuer: f.Issuer(consumersTenantID)}, nil
	}
	if tenant := f.directory.Tenant(name); tenant != nil {
		return &place{segment: tenant.ID, tenant: tenant, issuer: f.Issuer(tenant.ID)}, nil
	}
	if !directory.IsGUID(name) && !strings.Contains(name, ".") {
		return nil, aadsts.TenantMalformed(name)
	}
	return nil, aadsts.TenantNotFound(name)
}

// document is the v2 discovery document with its members in the order of the wire. What is missing here is missing at
// Entra: among others code_challenge_methods_supported, grant_types_supported, registration_endpoint and
// authorization_response_iss_parameter_supported.
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
}

func (f *Fake) handleDiscovery(w http.ResponseWriter, r *http.Request) {
	place, problem := f.place(r)
	if problem != nil {
		f.writeDiscoveryError(w, r, problem)
		return
	}
	base := f.authority + "/" + place.segment
	graphHost := strings.TrimPrefix(strings.TrimPrefix(f.graphURL, "https://"), "http://")
	jwks := base + "/discovery/v2.0/keys"
	if app := r.URL.Query().Get("appid"); app != "" {
		jwks += "?appid=" + url.QueryEscape(app)
	}
	doc := document{
		TokenEndpoint:         base + "/oauth2/v2.0/token",
		TokenAuthMethods:      []string{"client_secret_post", "private_key_jwt", "client_secret_basic", "self_signed_tls_client_auth"},
		JWKS:                  jwks,
		ResponseModes:         []string{"query", "fragment", "form_post"},
		SubjectTypes:          []string{"pairwise"},
		IDTokenAlgorithms:     []string{"RS256"},
		ResponseTypes:         []string{"code", "id_token", "code id_token", "id_token token"},
		Scopes:                []string{"openid", "profile", "email", "offline_access"},
		Issuer:                place.issuer,
		UserInfo:              f.graphURL + "/oidc/userinfo",
		AuthorizationEndpoint: base + "/oauth2/v2.0/authorize",
		DeviceEndpoint:        base + "/oauth2/v2.0/devicecode",
		HTTPLogout:            true,
		FrontchannelLogout:    true,
		EndSession:            base + "/oauth2/v2.0/logout",
		Claims: []string{"sub", "iss", "cloud_instance_name", "cloud_instance_host_name", "cloud_graph_host_name", "msgraph_host",
			"aud", "exp", "iat", "auth_time", "acr", "nonce", "preferred_username", "name", "tid", "ver", "at_hash", "c_hash", "email"},
		Kerberos:      base + "/kerberos",
		MTLSAliases:   map[string]string{"token_endpoint": "https://mtlsauth.microsoft.com/" + place.segment + "/oauth2/v2.0/token"},
		MTLSBound:     true,
		CloudInstance: cloudInstanceName,
		CloudGraph:    "graph.windows.net",
		MSGraph:       graphHost,
		RBAC:          "https://pas.windows.net",
	}
	if place.tenant != nil {
		region := place.tenant.Region
		if region == "" {
			region = "WW"
		}
		doc.Region = &region
	}
	writeOpenDocument(w, doc)
}

// writeOpenDocument answers with a public document, which scripts of any site may read.
func writeOpenDocument(w http.ResponseWriter, document any) {
	header := w.Header()
	header.Set("Cache-Control", "max-age=86400, private")
	header.Set("Access-Control-Allow-Origin", "*")
	header.Set("Access-Control-Allow-Methods", "GET, OPTIONS")
	header.Set("P3P", `CP="DSP CUR OTPi IND OTRi ONL FIN"`)
	writeJSON(w, http.StatusOK, document)
}

func writeJSON(w http.ResponseWriter, status int, document any) {
	text, err := json.Marshal(document)
	if err != nil {
		panic(err) // our own structs
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

// writeDiscoveryError answers as the metadata endpoints do: an unknown tenant has the error code invalid_tenant there,
// and only there.
func (f *Fake) writeDiscoveryError(w http.ResponseWriter, r *http.Request, problem *aadsts.Error) {
	if problem.Number == 90002 {
		problem.Code = "invalid_tenant"
	}
	w.Header().Set("Access-Control-Allow-Origin", "*")
	f.writeError(w, r, problem)
}

// handleInstance is instance discovery, with which Microsoft's libraries ask whether a host is one of Entra's.
func (f *Fake) handleInstance(w http.ResponseWriter, r *http.Request) {
	asked, err := url.Parse(r.URL.Query().Get("authorization_endpoint"))
	aliases := []string{"login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"}
	own := strings.TrimPrefix(strings.TrimPrefix(f.authority, "https://"), "http://")
	known := err == nil && (asked.Host == own || asked.Host == aliases[0] || asked.Host == aliases[1] || asked.Host == aliases[2])
	if !known {
		f.writeDiscoveryError(w, r, aadsts.UnknownInstance())
		return
	}
	tenant, _, _ := strings.Cut(strings.TrimPrefix(asked.Path, "/"), "/")
	type network struct {
		Network string   `json:"preferred_network"`
		Cache   string   `json:"preferred_cache"`
		Aliases []string `json:"aliases"`
	}
	type instance struct {
		Discovery string    `json:"tenant_discovery_endpoint"`
		Version   string    `json:"api-version"`
		Metadata  []network `json:"metadata"`
	}
	metadata := []network{
		{"login.microsoftonline.com", "login.windows.net", aliases},
		{"login.partner.microsoftonline.cn", "login.partner.microsoftonline.cn", []string{"login.partner.microsoftonline.cn", "login.chinacloudapi.cn"}},
		{"login.microsoftonline.de", "login.microsoftonline.de", []string{"login.microsoftonline.de"}},
		{"login.microsoftonline.us", "login.microsoftonline.us", []string{"login.microsoftonline.us", "login.usgovcloudapi.net"}},
		{"login-us.microsoftonline.com", "login-us.microsoftonline.com", []string{"login-us.microsoftonline.com"}},
	}
	writeOpenDocument(w, instance{Discovery: f.authority + "/" + tenant + "/v2.0/.well-known/openid-configuration", Version: "1.1", Metadata: metadata})
}
