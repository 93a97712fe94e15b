package fakeentra

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
)

// An authorization is a request to the authorization endpoint that was found to be in order.
type authorization struct {
	place    *place
	tenant   *directory.Tenant
	client   *directory.App
	redirect string // as asked for
	platform platform
	mode     string // query or form_post
	asked    *permissions
	params   url.Values
}

// session is a browser in which people have signed in, most recent first.
type session struct {
	id    string
	users []signedIn
}

type signedIn struct {
	tenantID, userID string
	at               time.Time
}

// consentKey is what consent is remembered by.
type consentKey struct{ tenantID, userID, clientID string }

// handleAuthorize is the authorization endpoint. Errors of a request whose client and redirect URI are known go back to
// the client; all others are a page, so that nobody is sent to an address that is not registered.
func (f *Fake) handleAuthorize(w http.ResponseWriter, r *http.Request) {
	request, done := f.readAuthorization(w, r)
	if done {
		return
	}
	prompts := strings.Fields(request.params.Get("prompt"))
	user := f.signedIn(r, request.tenant)
	hint := request.params.Get("login_hint")
	if f.config.AutoSignIn {
		if user = &request.tenant.Users[0]; request.tenant.User(hint) != nil {
			user = request.tenant.User(hint)
		}
		f.answer(w, r, request, user)
		return
	}
	if user != nil && hint != "" && !strings.EqualFold(hint, user.UserPrincipalName) {
		user = nil
	}
	switch {
	case slices.Contains(prompts, "none") && user == nil:
		f.redirectError(w, r, request, aadsts.SignInNeeded())
	case slices.Contains(prompts, "none") && !f.consented(request, user):
		f.redirectError(w, r, request, aadsts.ConsentNeeded(request.client.ID, request.client.DisplayName))
	case user == nil, slices.Contains(prompts, "login"), slices.Contains(prompts, "select_account"):
		f.showSignIn(w, r, request, "")
	case slices.Contains(prompts, "consent"), !f.consented(request, user):
		f.showConsent(w, r, request, user)
	default:
		f.answer(w, r, request, user)
	}
}

// readAuthorization judges a request to the authorization endpoint. It reports done when it has answered.
func (f *Fake) readAuthorization(w http.ResponseWriter, r *http.Request) (*authorization, bool) {
	params, problem := f.parameters(r)
	if problem != nil {
		f.showError(w, r, problem)
		return nil, true
	}
	request := &authorization{params: params}
	if request.place, problem = f.place(r); problem != nil {
		f.showError(w, r, problem)
		return nil, true
	}
	if request.tenant = request.place.tenant; request.tenant == nil {
		// The apps here are single-tenant, which Entra finds out at a shared endpoint all the same.
		f.showError(w, r, aadsts.SingleTenant(params.Get("client_id")))
		return nil, true
	}
	if request.client, problem = findClient(request.tenant, params); problem != nil {
		f.showError(w, r, problem)
		return nil, true
	}
	request.redirect = params.Get("redirect_uri")
	if request.redirect == "" {
		registered := request.client.RedirectURIs()
		if len(registered) == 0 {
			f.showError(w, r, aadsts.NoRedirectRegistered())
			return nil, true
		}
		request.redirect = registered[0]
	}
	if request.platform, problem = matchRedirect(request.client, request.redirect); problem != nil {
		f.showError(w, r, problem)
		return nil, true
	}
	// From here on the client is known, and errors are its own to handle.
	request.mode = "query"
	if problem = f.judge(request); problem != nil {
		f.redirectError(w, r, request, problem)
		return nil, true
	}
	return request, false
}

func (f *Fake) judge(request *authorization) *aadsts.Error {
	params := request.params
	switch mode := params.Get("response_mode"); mode {
	case "", "query":
	case "form_post":
		request.mode = mode
	case "fragment":
		request.mode = mode
	default:
		return aadsts.UnsupportedResponseMode(mode)
	}
	switch kind := params.Get("response_type"); kind {
	case "code":
	case "":
		return aadsts.MissingParameter("response_type")
	default:
		return aadsts.UnsupportedResponseType(kind)
	}
	if params.Get("scope") == "" {
		return aadsts.MissingParameter("scope")
	}
	switch params.Get("code_challenge_method") {
	case "", "plain", "S256":
	default:
		return aadsts.ChallengeMalformed()
	}
	if challenge := params.Get("code_challenge"); challenge != "" && (len(challenge) < 43 || len(challenge) > 128) {
		return aadsts.ChallengeMalformed()
	} else if challenge == "" && request.platform == spa {
		return aadsts.SPAWithoutPKCE()
	}
	asked, problem := f.resolve(request.tenant, request.client, params.Get("scope"), false)
	if problem != nil {
		return problem
	}
	request.asked = asked
	return f.checkResource(params.Get("resource"), params.Has("resource"), asked, request.tenant)
}

// parameters reads query and form together. A parameter that is there twice is refused.
func (f *Fake) parameters(r *http.Request) (url.Values, *aadsts.Error) {
	if len(r.URL.RawQuery) > maxBody {
		return nil, aadsts.Malformed()
	}
	if err := r.ParseForm(); err != nil {
		return nil, aadsts.Malformed()
	}
	for _, values := range r.Form {
		if len(values) > 1 || strings.ContainsRune(values[0], 0) {
			return nil, aadsts.Malformed()
		}
	}
	return r.Form, nil
}

func findClient(tenant *directory.Tenant, params url.Values) (*directory.App, *aadsts.Error) {
	id := params.Get("client_id")
	switch {
	case id == "":
		return nil, aadsts.MissingParameter("client_id")
	case !directory.IsGUID(id) || strings.Trim(id, "0-") == "":
		return nil, aadsts.AppIDMalformed(id)
	}
	app := tenant.App(id)
	if app == nil {
		return nil, aadsts.AppNotFound(id, tenant.DisplayName)
	}
	return app, nil
}

// consented reports whether everything asked for was granted before, by the person or by an administrator for all.
func (f *Fake) consented(request *authorization, user *directory.User) bool {
	granted, _ := f.consents.Get(request.consentKey(user))
	for _, scope := range request.client.Consented {
		if asked, problem := f.resolve(request.tenant, request.client, scope, false); problem == nil {
			granted = append(granted[:len(granted):len(granted)], asked.all()...)
			granted = append(granted, consentName(&graphApp, "openid"), consentName(&graphApp, "profile"), consentName(&graphApp, "email"), consentName(&graphApp, "offline_access"))
		}
	}
	return !slices.ContainsFunc(request.asked.all(), func(one string) bool { return !slices.Contains(granted, one) })
}

func (f *Fake) remember(request *authorization, user *directory.User) {
	granted, _ := f.consents.Get(request.consentKey(user))
	granted = slices.Clone(granted)
	for _, one := range request.asked.all() {
		if !slices.Contains(granted, one) {
			granted = append(granted, one)
		}
	}
	f.consents.Add(request.consentKey(user), granted)
}

func (a *authorization) consentKey(user *directory.User) consentKey {
	return consentKey{a.tenant.ID, user.ID, a.client.ID}
}

// answer issues a code and sends the browser back with it.
func (f *Fake) answer(w http.ResponseWriter, r *http.Request, request *authorization, user *directory.User) {
	value := f.newCode(request, user)
	result := []parameter{{"code", value}}
	if request.params.Get("client_info") == "1" {
		result = append(result, parameter{"client_info", clientInfo(request.tenant, user)})
	}
	if request.params.Has("state") {
		result = append(result, parameter{"state", request.params.Get("state")})
	}
	result = append(result, parameter{"session_state", f.newGUID()})
	f.respond(w, r, request, result)
}

// redirectError sends an error back to the client.
func (f *Fake) redirectError(w http.ResponseWriter, r *http.Request, request *authorization, problem *aadsts.Error) {
	if problem.Unredirected {
		f.showError(w, r, problem)
		return
	}
	noteProblem(w, problem)
	occurrence := f.occurrence(w, r)
	result := []parameter{{"error", problem.Code}, {"error_description", problem.Description(occurrence)}}
	if uri := problem.ErrorURI(occurrence); uri != "" {
		result = append(result, parameter{"error_uri", uri})
	}
	if request.params.Has("state") {
		result = append(result, parameter{"state", request.params.Get("state")})
	}
	f.respond(w, r, request, result)
}

// A parameter is one of an authorization response, where the order is part of the wire.
type parameter struct{ Name, Value string }

// respond delivers an authorization response in the mode that was asked for.
func (f *Fake) respond(w http.ResponseWriter, r *http.Request, request *authorization, result []parameter) {
	noStore(w)
	target, err := url.Parse(request.redirect)
	if err != nil {
		f.showError(w, r, aadsts.RedirectMalformed(request.redirect))
		return
	}
	if target.Path == "" && target.Opaque == "" {
		target.Path = "/" // a redirect URI without a path comes back with one
	}
	if request.mode == "form_post" {
		f.showFormPost(w, target.String(), result)
		return
	}
	var encoded strings.Builder
	for i, one := range result {
		if i > 0 {
			encoded.WriteByte('&')
		}
		encoded.WriteString(one.Name + "=" + aadsts.Escape(one.Value))
	}
	location := target.String()
	switch {
	case request.mode == "fragment":
		location += "#" + encoded.String()
	case target.RawQuery != "":
		location += "&" + encoded.String() + "#"
	default:
		location += "?" + encoded.String() + "#" // the bare fragment keeps one of an earlier page from being carried along
	}
	w.Header().Set("Location", location)
	w.WriteHeader(http.StatusFound)
}
