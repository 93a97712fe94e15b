package fakeentra

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"

	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/internal/pages"
	"mcpentra/fakeentra/internal/rules"
)

// A Face selects the behaviour of a fake where MCP and Entra ID differ.
type Face string

const (
	// EntraFace is the behaviour of Entra ID, with its gaps.
	EntraFace Face = ""
	// SpecAlignedFace adds what MCP expects from an authorization server and Entra ID lacks: RFC
	// 8414 metadata, code_challenge_methods_supported, iss in authorization responses (RFC 9207)
	// and dynamic registration (RFC 7591). It accepts any parameter resource, and requests without
	// the parameter scope.
	SpecAlignedFace Face = "spec-aligned"
)

// unaskedScope is the default scope of the spec-aligned face (RFC 6749 section 3.3).
const unaskedScope = "openid profile"

// The specMembers are the members that the spec-aligned face adds to discovery documents.
type specMembers struct {
	ChallengeMethods []string `json:"code_challenge_methods_supported"`
	GrantTypes       []string `json:"grant_types_supported"`
	Registration     string   `json:"registration_endpoint"`
	ResponseIssuer   bool     `json:"authorization_response_iss_parameter_supported"`
}

// newSpecMembers returns the added members. It returns nil with Entra ID's face, and for a set of
// tenants, because a set has no issuer. Base is the address of the endpoints for programs.
func newSpecMembers(face Face, path *rules.TenantPath, base string) *specMembers {
	if face != SpecAlignedFace || path.Tenant == nil {
		return nil
	}
	return &specMembers{
		ChallengeMethods: []string{"S256"},
		GrantTypes: []string{
			"authorization_code",
			"refresh_token",
			"client_credentials",
			"urn:ietf:params:oauth:grant-type:device_code",
		},
		Registration:   base + "/oauth2/v2.0/register",
		ResponseIssuer: true,
	}
}

// maxRegistration bounds a registration in bytes.
const maxRegistration = 64 << 10

type registration struct {
	RedirectURIs []string `json:"redirect_uris"`
	AuthMethod   string   `json:"token_endpoint_auth_method"`
	Name         string   `json:"client_name"`
}

// handleRegister is dynamic client registration (RFC 7591). Only the spec-aligned face has it.
func (f *Fake) handleRegister(w http.ResponseWriter, r *http.Request) {
	path, problem := f.rules.TenantPath(r.PathValue("tenant"))
	if problem != nil {
		f.writeError(w, r, problem)
		return
	}
	refuse := func(code string, err error) {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": code, "error_description": err.Error()})
	}
	var wanted registration
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRegistration)).Decode(&wanted); err != nil {
		refuse("invalid_client_metadata", errors.New("want a JSON object of client metadata as body"))
		return
	}
	if path.Tenant == nil || len(wanted.RedirectURIs) == 0 || len(wanted.RedirectURIs) > 20 {
		refuse("invalid_redirect_uri", errors.New("want one to twenty redirect URIs, at the endpoint of a tenant"))
		return
	}
	for _, uri := range wanted.RedirectURIs {
		if !canRegister(uri) {
			refuse("invalid_redirect_uri", errors.New("a redirect URI must use https, loopback or an app's own scheme"))
			return
		}
	}
	app := &directory.App{ID: f.random.guid(), ObjectID: f.random.guid(), DisplayName: wanted.Name}
	if app.DisplayName == "" {
		app.DisplayName = "A registered client"
	}
	answer := map[string]any{
		"client_id":           app.ID,
		"client_id_issued_at": f.clock.now().Unix(),
		"client_name":         app.DisplayName,
		"redirect_uris":       wanted.RedirectURIs,
		"grant_types":         []string{"authorization_code", "refresh_token"},
		"response_types":      []string{"code"},
	}
	switch wanted.AuthMethod {
	case "none":
		app.PublicClient = slices.Clone(wanted.RedirectURIs)
		answer["token_endpoint_auth_method"] = "none"
	case "", "client_secret_basic", "client_secret_post":
		secret := base64.RawURLEncoding.EncodeToString(f.random.bytes(32))
		app.Web = slices.Clone(wanted.RedirectURIs)
		app.Secrets = []string{secret}
		answer["client_secret"] = secret
		answer["client_secret_expires_at"] = 0
		answer["token_endpoint_auth_method"] = wanted.AuthMethod
		if wanted.AuthMethod == "" {
			answer["token_endpoint_auth_method"] = "client_secret_basic"
		}
	default:
		refuse("invalid_client_metadata",
			errors.New("want none, client_secret_basic or client_secret_post as token_endpoint_auth_method"))
		return
	}
	f.state.Register(app)
	pages.NoStore(w)
	writeJSON(w, http.StatusCreated, answer)
}

// canRegister reports whether a client may register a redirect URI.
func canRegister(uri string) bool {
	parsed, err := url.Parse(uri)
	if err != nil || parsed.Scheme == "" || parsed.Fragment != "" || len(uri) > 2000 {
		return false
	}
	return parsed.Scheme != "http" || isLoopbackHost(parsed.Hostname())
}

func isLoopbackHost(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
