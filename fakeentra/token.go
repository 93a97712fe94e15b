package fakeentra

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/internal/pages"
	"mcpentra/fakeentra/internal/rules"
)

// A tokenRequest is a request to the token endpoint, after the checks of its form, tenant and
// client. Only the handler of the grant changes it afterwards: it sets the tenant at a shared
// endpoint.
type tokenRequest struct {
	version    rules.Version
	tenantPath *rules.TenantPath
	tenant     *directory.Tenant // nil at a shared endpoint until the grant is known
	client     *directory.App
	params     url.Values
	claims     rules.ClaimsRequest
	origin     string // the header Origin, which scripts in a browser send

	secret    string
	hasSecret bool
	assertion bool
}

// isPublic reports whether the app is a public client that shows no credential.
func (t *tokenRequest) isPublic() bool {
	return t.client.AllowPublicFlows && !t.hasSecret && !t.assertion
}

func (t *tokenRequest) wantsInfo() bool { return t.params.Get("client_info") == "1" }

// A tokenResponse has its members in the order of the wire.
type tokenResponse struct {
	TokenType    string `json:"token_type"`
	Scope        string `json:"scope,omitempty"`
	ExpiresIn    number `json:"expires_in"`
	ExtExpiresIn number `json:"ext_expires_in"`
	RefreshIn    number `json:"refresh_in,omitempty"` // only with a long lifetime
	ExpiresOn    number `json:"expires_on,omitempty"` // this and the next two only at v1
	NotBefore    number `json:"not_before,omitempty"`
	Resource     string `json:"resource,omitempty"`
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
	ClientInfo   string `json:"client_info,omitempty"`
}

// A number is a JSON number at v2, and a string of digits at v1.
type number string

func numberOf(n int, v rules.Version) number {
	if v == rules.V1 {
		return number(strconv.Quote(strconv.Itoa(n)))
	}
	return number(strconv.Itoa(n))
}

// MarshalJSON writes the number without a change.
func (n number) MarshalJSON() ([]byte, error) { return json.RawMessage(n).MarshalJSON() }

// handleToken is the token endpoint. Reports show the order of the checks (M): the form, the
// tenant, the client, the format of the code or refresh token, the credential of the client, and
// the contents of the code.
func (f *Fake) handleToken(v rules.Version) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodPost:
		case http.MethodOptions:
			answerPreflight(w, r)
			return
		default:
			f.writeError(w, r, aadsts.WrongMethod(r.Method))
			return
		}
		request, problem := f.readTokenRequest(r, v, "grant_type")
		var answer *tokenResponse
		if problem == nil {
			answer, problem = f.grant(w, r, request)
		}
		if problem != nil {
			isForPerson := problem.Suberror != "" && problem.Code == "invalid_grant" && problem.Number != 50173
			if v == rules.V1 && isForPerson {
				problem.Code = "interaction_required" // the name at v1
			}
			// The third value is the suberror, and the fourth the age of the refresh token (M).
			w.Header().Set("x-ms-clitelem", fmt.Sprintf("1,%d,0,,", problem.Number))
			f.writeError(w, r, problem)
			return
		}
		pages.NoStore(w)
		w.Header().Set("x-ms-clitelem", "1,0,0,,")
		writeJSON(w, http.StatusOK, answer)
	}
}

// grant calls the handler of a grant_type.
func (f *Fake) grant(w http.ResponseWriter, r *http.Request, request *tokenRequest) (*tokenResponse, *aadsts.Error) {
	switch kind := request.params.Get("grant_type"); kind {
	case "authorization_code":
		return f.redeemCode(w, r, request)
	case "refresh_token":
		return f.redeemRefreshToken(w, r, request)
	case "client_credentials":
		return f.grantClientCredentials(r, request)
	case "urn:ietf:params:oauth:grant-type:jwt-bearer":
		return f.grantOnBehalfOf(r, request)
	case "urn:ietf:params:oauth:grant-type:device_code", "device_code":
		return f.redeemDeviceCode(request)
	case "password":
		return f.grantPassword(r, request)
	default:
		return nil, aadsts.UnsupportedGrantType(kind)
	}
}

// answerPreflight lets scripts of any site send a token request. The code in the request decides
// whether a script may read the response.
func answerPreflight(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Access-Control-Allow-Methods", "POST, OPTIONS") // L, as the rest
	header.Set("Access-Control-Max-Age", "86400")
	if origin := r.Header.Get("Origin"); origin != "" {
		header.Set("Access-Control-Allow-Origin", origin)
		header.Set("Access-Control-Allow-Credentials", "true")
		header.Add("Vary", "Origin")
	}
	if wanted := r.Header.Get("Access-Control-Request-Headers"); wanted != "" {
		header.Set("Access-Control-Allow-Headers", wanted)
	}
	w.WriteHeader(http.StatusOK)
}

// addressAsForm makes the query of the address the form.
func addressAsForm(r *http.Request) *aadsts.Error {
	if len(r.URL.RawQuery) > maxBody {
		return aadsts.Malformed()
	}
	r.Body = io.NopCloser(strings.NewReader(r.URL.RawQuery))
	r.Form = nil
	r.PostForm = nil
	r.Method = http.MethodPost // net/http reads a form only from this method
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return nil
}

// readTokenRequest reads the form of a token request, or of a device's request. Required is the
// parameter whose absence is the first error.
func (f *Fake) readTokenRequest(r *http.Request, v rules.Version, required string) (*tokenRequest, *aadsts.Error) {
	if problem := parseForm(r, required); problem != nil {
		return nil, problem
	}
	request := &tokenRequest{version: v, params: r.PostForm, origin: r.Header.Get("Origin")}
	if request.params.Get(required) == "" && (required == "grant_type" || r.Header.Get("Authorization") == "") {
		return nil, aadsts.MissingParameter(required)
	}
	if problem := request.readCredential(r); problem != nil {
		return nil, problem
	}
	if request.params.Get("grant_type") == "client_credentials" && request.secret == "" && !request.assertion {
		return nil, aadsts.NoCredentialForApp() // recorded without client_id, at the tenant undefined
	}
	asked, problem := rules.ReadClaimsRequest(request.params.Get("claims"))
	if problem != nil {
		return nil, problem
	}
	request.claims = asked
	if problem := f.findTenantAndClient(request, r.PathValue("tenant")); problem != nil {
		return nil, problem
	}
	return request, nil
}

// parseForm parses the body. The query of the address does not count.
func parseForm(r *http.Request, required string) *aadsts.Error {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		r.Form = url.Values{}
		return aadsts.MissingParameter(required)
	}
	if err := r.ParseForm(); err != nil {
		return aadsts.Malformed()
	}
	r.Form = r.PostForm
	return once(r.PostForm)
}

// readCredential reads the client's ID and secret from the header Authorization, and the secret or
// the assertion from the form.
func (t *tokenRequest) readCredential(r *http.Request) *aadsts.Error {
	if id, secret, basic := r.BasicAuth(); basic {
		id, errID := url.QueryUnescape(id)
		secret, errSecret := url.QueryUnescape(secret)
		isOther := t.params.Has("client_id") && t.params.Get("client_id") != id
		if errID != nil || errSecret != nil || isOther {
			return aadsts.Malformed()
		}
		t.params = maps.Clone(t.params) // the journal keeps the form
		t.params.Set("client_id", id)
		t.secret = secret
		t.hasSecret = true
	}
	if t.params.Has("client_secret") {
		t.secret = t.params.Get("client_secret")
		t.hasSecret = true
	}
	t.assertion = t.params.Has("client_assertion")
	return nil
}

// findTenantAndClient fills in the tenant of the path and the client.
func (f *Fake) findTenantAndClient(request *tokenRequest, segment string) (problem *aadsts.Error) {
	request.tenantPath, problem = f.rules.TenantPath(segment)
	if problem != nil {
		return problem
	}
	request.tenant = request.tenantPath.Tenant
	if request.version == rules.V1 && request.tenant != nil && request.tenant.Personal() {
		return aadsts.OldVersionForPersonal()
	}
	home := request.tenant
	if home == nil {
		home = &f.directory.Tenants[0]
		if app := f.rules.AnyApp(request.params.Get("client_id")); app != nil {
			home = f.directory.HomeOf(app)
			if !app.MultiTenant && !app.PersonalAccounts {
				return request.withoutTenant(app)
			}
		}
	}
	request.client, problem = f.findClient(home, request.tenantPath, request.params)
	return problem
}

// withoutTenant returns the error of a single-tenant app at a shared endpoint. A grant of a person
// implies a tenant, and the error is about the app (M). No tenant is known for the app itself, or
// for a device.
func (t *tokenRequest) withoutTenant(app *directory.App) *aadsts.Error {
	switch t.params.Get("grant_type") {
	case "authorization_code", "refresh_token", "password", "urn:ietf:params:oauth:grant-type:jwt-bearer":
		return aadsts.SingleTenant(app.ID, app.DisplayName)
	}
	return aadsts.NoTenant()
}

// scopeOf resolves the scopes of a token request, or its resource at v1. The client is nil for the
// client credentials grant.
func (f *Fake) scopeOf(request *tokenRequest, client *directory.App, scope string) (*rules.Permissions, *aadsts.Error) {
	if request.version == rules.V1 {
		return f.rules.ResolveV1(request.tenant, client, request.params.Get("resource"), scope)
	}
	asked, problem := f.rules.Resolve(request.tenant, client, scope, true)
	if problem == nil && len(asked.Groups) > 1 {
		problem = aadsts.ScopesOfSeveralResources(scope)
	}
	return asked, problem
}

// authenticate checks the client's credential by the platform of the redirect URI.
func (f *Fake) authenticate(
	w http.ResponseWriter,
	r *http.Request,
	request *tokenRequest,
	used rules.Platform,
) *aadsts.Error {
	switch used {
	case rules.PublicClient:
		if request.origin != "" {
			return aadsts.OriginRefused(request.origin)
		}
		if request.hasSecret || request.assertion {
			return aadsts.PublicClientCredential()
		}
		return nil
	case rules.SPA:
		if request.origin == "" {
			return aadsts.SPANotCrossOrigin()
		}
		w.Header().Set("Access-Control-Allow-Origin", request.origin)
		w.Header().Set("Access-Control-Allow-Credentials", "true")
		// L: the headers
		w.Header().Set("Access-Control-Expose-Headers", "Content-Length,Content-Encoding,x-ms-request-id,x-ms-srs")
		w.Header().Add("Vary", "Origin")
		return nil
	}
	if request.origin != "" {
		return aadsts.CrossOriginNotSPA(request.origin)
	}
	return f.checkCredential(r, request, aadsts.NoCredential())
}

// authenticateByApp checks the client's credential in flows without a redirect URI. The app
// registration says whether the client is public.
func (f *Fake) authenticateByApp(request *tokenRequest) *aadsts.Error {
	if request.isPublic() {
		return nil
	}
	return f.checkCredential(nil, request, aadsts.NoCredential())
}

// checkCredential checks the secret or the assertion of the client.
func (f *Fake) checkCredential(r *http.Request, request *tokenRequest, missing *aadsts.Error) *aadsts.Error {
	switch {
	case request.assertion:
		return f.checkAssertion(r, request)
	case !request.hasSecret || request.secret == "":
		return missing
	}
	for _, secret := range request.client.Secrets {
		if rules.SameSecret(secret, request.secret) {
			return nil
		}
	}
	for _, secret := range request.client.ExpiredSecrets {
		if rules.SameSecret(secret, request.secret) {
			return aadsts.ExpiredSecret(request.client.ID)
		}
	}
	return aadsts.WrongSecret(request.client.ID)
}

// strength returns the claim azpacr, which says how the client authenticated.
func (t *tokenRequest) strength() string {
	switch {
	case t.assertion:
		return "2"
	case t.hasSecret:
		return "1"
	}
	return "0"
}
