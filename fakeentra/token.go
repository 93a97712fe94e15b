package fakeentra

import (
	"crypto/subtle"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
)

// A tokenRequest is a request to the token endpoint whose form, tenant and client are in order.
type tokenRequest struct {
	place  *place
	tenant *directory.Tenant
	client *directory.App
	params url.Values
	origin string // of a script in a browser

	secret    string
	hasSecret bool
	assertion bool
}

// tokenResponse has its members in the order of the wire.
type tokenResponse struct {
	TokenType    string `json:"token_type"`
	Scope        string `json:"scope,omitempty"`
	ExpiresIn    int    `json:"expires_in"`
	ExtExpiresIn int    `json:"ext_expires_in"`
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
	ClientInfo   string `json:"client_info,omitempty"`
}

// handleToken is the token endpoint. What is judged in which order was seen on the wire: the form, the tenant, the
// client, the format of the code or refresh token, the client's credential, and what the code holds last.
func (f *Fake) handleToken(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodPost:
	case http.MethodOptions:
		w.Header().Set("Access-Control-Allow-Methods", "POST, OPTIONS") // L
		w.WriteHeader(http.StatusOK)
		return
	default:
		f.writeError(w, r, aadsts.WrongMethod(r.Method))
		return
	}
	request, problem := f.readTokenRequest(r)
	var answer *tokenResponse
	if problem == nil {
		switch request.params.Get("grant_type") {
		case "authorization_code":
			answer, problem = f.redeemCode(w, request)
		case "refresh_token":
			answer, problem = f.redeemRefreshToken(w, request)
		case "client_credentials":
			answer, problem = f.grantClientCredentials(request)
		default:
			problem = aadsts.UnsupportedGrantType(request.params.Get("grant_type"))
		}
	}
	if problem != nil {
		f.writeError(w, r, problem)
		return
	}
	noStore(w)
	w.Header().Set("x-ms-clitelem", "1,0,0,,")
	writeJSON(w, http.StatusOK, answer)
}

func (f *Fake) readTokenRequest(r *http.Request) (*tokenRequest, *aadsts.Error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		r.Form = url.Values{}
		return nil, aadsts.MissingParameter("grant_type")
	}
	if err := r.ParseForm(); err != nil {
		return nil, aadsts.Malformed()
	}
	r.Form = r.PostForm // what stands in the address does not count
	for _, values := range r.PostForm {
		if len(values) > 1 {
			return nil, aadsts.Malformed()
		}
	}
	request := &tokenRequest{params: r.PostForm, origin: r.Header.Get("Origin")}
	if request.params.Get("grant_type") == "" {
		return nil, aadsts.MissingParameter("grant_type")
	}
	id, secret, basic := r.BasicAuth()
	if basic {
		var errID, errSecret error
		id, errID = url.QueryUnescape(id)
		secret, errSecret = url.QueryUnescape(secret)
		if errID != nil || errSecret != nil || request.params.Has("client_id") && request.params.Get("client_id") != id {
			return nil, aadsts.Malformed()
		}
		request.params.Set("client_id", id)
		request.secret, request.hasSecret = secret, true
	}
	if request.params.Has("client_secret") {
		request.secret, request.hasSecret = request.params.Get("client_secret"), true
	}
	request.assertion = request.params.Has("client_assertion")
	var problem *aadsts.Error
	if request.place, problem = f.place(r); problem != nil {
		return nil, problem
	}
	if request.tenant = request.place.tenant; request.tenant == nil {
		return nil, aadsts.NoTenant()
	}
	if request.client, problem = findClient(request.tenant, request.params); problem != nil {
		return nil, problem
	}
	return request, nil
}

// authenticate judges the client's credential by the platform of the redirect URI that was used.
func (f *Fake) authenticate(w http.ResponseWriter, request *tokenRequest, used platform) *aadsts.Error {
	switch used {
	case publicClient:
		if request.hasSecret || request.assertion {
			return aadsts.PublicClientCredential()
		}
		return nil
	case spa:
		if request.origin == "" {
			return aadsts.SPANotCrossOrigin()
		}
		w.Header().Set("Access-Control-Allow-Origin", request.origin)
		w.Header().Set("Access-Control-Allow-Credentials", "true")
		w.Header().Add("Vary", "Origin")
		return nil
	}
	if request.origin != "" {
		return aadsts.CrossOriginNotSPA(request.origin)
	}
	return request.checkSecret(aadsts.NoCredential())
}

func (t *tokenRequest) checkSecret(missing *aadsts.Error) *aadsts.Error {
	switch {
	case t.assertion:
		return aadsts.AssertionRefused() // no app here has a certificate
	case !t.hasSecret || t.secret == "":
		return missing
	}
	for _, secret := range t.client.Secrets {
		if subtle.ConstantTimeCompare([]byte(secret), []byte(t.secret)) == 1 {
			return nil
		}
	}
	return aadsts.WrongSecret(t.client.ID)
}

// wellFormed reports whether a code or refresh token looks like one: opaque, long, and begun with the version of its
// format.
func wellFormed(grant string) bool {
	return len(grant) > 100 && len(grant) < 4096 && strings.HasPrefix(grant, "1.") &&
		strings.Trim(grant, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == ""
}
