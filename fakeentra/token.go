package fakeentra

import (
	"encoding/json"
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

// A tokenRequest is a request to the token endpoint whose form, tenant and client are in order.
type tokenRequest struct {
	version    rules.Version
	tenantPath *rules.TenantPath
	tenant     *directory.Tenant // nil at a shared endpoint, until the grant names one
	client     *directory.App
	params     url.Values
	origin     string // of a script in a browser

	secret    string
	hasSecret bool
	assertion bool
}

func (t *tokenRequest) wantsInfo() bool { return t.params.Get("client_info") == "1" }

// tokenResponse has its members in the order of the wire.
type tokenResponse struct {
	TokenType    string `json:"token_type"`
	Scope        string `json:"scope,omitempty"`
	ExpiresIn    number `json:"expires_in"`
	ExtExpiresIn number `json:"ext_expires_in"`
	ExpiresOn    number `json:"expires_on,omitempty"` // this and the next two at the v1 endpoint only
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

// MarshalJSON writes the number as it stands.
func (n number) MarshalJSON() ([]byte, error) { return json.RawMessage(n).MarshalJSON() }

// handleToken is the token endpoint. The order of the checks was seen on the wire (M): the form,
// the tenant, the client, the format of the code or refresh token, the credential of the client,
// and the contents of the code.
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
			if v == rules.V1 && problem.Suberror != "" && problem.Code == "invalid_grant" && problem.Number != 50173 {
				problem.Code = "interaction_required" // what v1 calls it when a person has to do something
			}
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
// whether they may read the response.
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

// addressAsForm takes the query of the address as the form.
func addressAsForm(r *http.Request) *aadsts.Error {
	if len(r.URL.RawQuery) > maxBody {
		return aadsts.Malformed()
	}
	r.Body = io.NopCloser(strings.NewReader(r.URL.RawQuery))
	r.Form = nil
	r.PostForm = nil
	r.Method = http.MethodPost // the method with which net/http looks at the body
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return nil
}

// readTokenRequest reads the form of a token request, or of a device's request. Required is the
// parameter whose absence is the first error.
func (f *Fake) readTokenRequest(r *http.Request, v rules.Version, required string) (*tokenRequest, *aadsts.Error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil ||
		kind != "application/x-www-form-urlencoded" {
		r.Form = url.Values{}
		return nil, aadsts.MissingParameter(required)
	}
	if err := r.ParseForm(); err != nil {
		return nil, aadsts.Malformed()
	}
	r.Form = r.PostForm // what stands in the address does not count
	if problem := once(r.PostForm); problem != nil {
		return nil, problem
	}
	request := &tokenRequest{version: v, params: r.PostForm, origin: r.Header.Get("Origin")}
	if request.params.Get(required) == "" && (required == "grant_type" || r.Header.Get("Authorization") == "") {
		return nil, aadsts.MissingParameter(required)
	}
	if id, secret, basic := r.BasicAuth(); basic {
		id, errID := url.QueryUnescape(id)
		secret, errSecret := url.QueryUnescape(secret)
		if errID != nil || errSecret != nil ||
			request.params.Has("client_id") && request.params.Get("client_id") != id {
			return nil, aadsts.Malformed()
		}
		request.params = maps.Clone(request.params) // the form is the journal's, too
		request.params.Set("client_id", id)
		request.secret = secret
		request.hasSecret = true
	}
	if request.params.Has("client_secret") {
		request.secret = request.params.Get("client_secret")
		request.hasSecret = true
	}
	request.assertion = request.params.Has("client_assertion")
	var problem *aadsts.Error
	if request.tenantPath, problem = f.rules.TenantPath(r.PathValue("tenant")); problem != nil {
		return nil, problem
	}
	request.tenant = request.tenantPath.Tenant
	if v == rules.V1 && request.tenant != nil && request.tenant.Personal() {
		return nil, aadsts.OldVersionForPersonal()
	}
	home := request.tenant
	if home == nil {
		home = &f.directory.Tenants[0]
		if app := f.rules.AnyApp(request.params.Get("client_id")); app != nil {
			home = f.directory.HomeOf(app)
			if !app.MultiTenant && !app.PersonalAccounts {
				return nil, aadsts.NoTenant()
			}
		}
	}
	if request.client, problem = f.findClient(home, request.tenantPath, request.params); problem != nil {
		return nil, problem
	}
	return request, nil
}

// scopeOf resolves the scopes of a token request, or the resource at v1. The client is nil when an
// app asks for itself.
func (f *Fake) scopeOf(request *tokenRequest, client *directory.App, scope string) (*rules.Permissions, *aadsts.Error) {
	if request.version == rules.V1 {
		return f.rules.ResolveV1(request.tenant, client, request.params.Get("resource"), scope)
	}
	asked, problem := f.rules.Resolve(request.tenant, client, scope, true)
	if problem == nil && len(asked.Groups) > 1 {
		problem = aadsts.ScopesOfSeveralResources()
	}
	return asked, problem
}

// checkTokenResource applies the rule for the parameter resource at the v2 token endpoint.
func (f *Fake) checkTokenResource(request *tokenRequest, asked *rules.Permissions) *aadsts.Error {
	if request.version == rules.V1 {
		return nil
	}
	return f.checkResource(request.params.Get("resource"), request.params.Has("resource"), asked, request.tenant)
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
			return aadsts.OriginRefused()
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
		// L: the list
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
	if request.client.AllowPublicFlows && !request.hasSecret && !request.assertion {
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

// strength is the claim azpacr: how the client authenticated.
func (t *tokenRequest) strength() string {
	switch {
	case t.assertion:
		return "2"
	case t.hasSecret:
		return "1"
	}
	return "0"
}

// wellFormed reports whether a code or refresh token has the form of one: opaque, long, with the
// prefix of its format or of personal accounts.
func wellFormed(grant string) bool {
	return len(grant) > 100 && len(grant) < 4096 &&
		(strings.HasPrefix(grant, "1.") || strings.HasPrefix(grant, "M.")) &&
		strings.Trim(grant, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == ""
}
