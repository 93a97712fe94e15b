package fakeentra

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
)

// A version is a generation of the endpoints. v1 names what a token is for with the parameter resource, v2 with scopes.
type version int

const (
	v1 version = 1
	v2 version = 2
)

// An authorization is something that a person is asked to sign in for and to approve: a request to the authorization
// endpoint, a device's request, or an administrator's consent.
type authorization struct {
	kind     kind
	version  version
	place    *place
	tenant   *directory.Tenant // nil at a shared endpoint until the person is known
	client   *directory.App
	redirect string // as asked for
	platform platform
	response response
	asked    *permissions
	params   url.Values
	device   *deviceCode
}

// A kind is the way in which an authorization came in. It is part of the addresses of the pages.
type kind string

const (
	byClient kind = "authorize"
	byDevice kind = "device"
	byAdmin  kind = "adminconsent"
)

// A response is what goes back to the client, and how.
type response struct {
	code, idToken, token bool
	mode                 string // query, fragment or form_post
}

// consentKey is what consent is remembered by. An administrator's consent for everybody has no user.
type consentKey struct{ tenantID, userID, clientID string }

// handleAuthorize is the authorization endpoint. Errors of a request whose client and redirect URI are known go back to
// the client; all others are a page, so that nobody is sent to an address that is not registered.
func (f *Fake) handleAuthorize(v version) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		params, problem := f.parameters(r)
		if problem != nil {
			f.showError(w, r, problem)
			return
		}
		place, problem := f.place(r)
		if problem != nil {
			f.showError(w, r, problem)
			return
		}
		request := &authorization{kind: byClient, version: v, place: place, tenant: place.tenant, params: params}
		f.begin(w, r, request)
	}
}

// begin shows a person the page that an authorization needs first, or answers without one.
func (f *Fake) begin(w http.ResponseWriter, r *http.Request, request *authorization) {
	prompts := strings.Fields(request.params.Get("prompt"))
	hint := request.params.Get("login_hint")
	person := f.signedIn(r, request.tenant)
	if f.config.AutoSignIn {
		person = f.autoSignIn(request.tenant, hint)
	}
	if person != nil && hint != "" && !f.config.AutoSignIn && !strings.EqualFold(hint, person.user.UserPrincipalName) {
		person = nil
	}
	ask := person == nil || !f.config.AutoSignIn && (slices.Contains(prompts, "login") || slices.Contains(prompts, "select_account"))
	if request.tenant == nil {
		switch {
		case person != nil && !ask:
			request.tenant = person.tenant
		case !slices.Contains(prompts, "none"):
			// Which directory is meant is not known yet, so nothing of the request can be judged. Entra ID shows its
			// page, too.
			f.showSignIn(w, r, request, "")
			return
		default:
			if app := f.anyApp(request.params.Get("client_id")); app != nil {
				request.tenant = f.directory.HomeOf(app)
			}
			if request.tenant == nil {
				request.tenant = &f.directory.Tenants[0]
			}
		}
	}
	if done := f.read(w, r, request); done {
		return
	}
	switch {
	case slices.Contains(prompts, "none") && person == nil:
		f.redirectError(w, r, request, aadsts.SignInNeeded())
	case ask:
		f.showSignIn(w, r, request, "")
	default:
		f.proceed(w, r, request, person)
	}
}

// proceed goes on with an authorization once the person is known: policies, then consent, then the answer.
func (f *Fake) proceed(w http.ResponseWriter, r *http.Request, request *authorization, person *signedIn) {
	silent := slices.Contains(strings.Fields(request.params.Get("prompt")), "none")
	if problem := f.admits(request, person, silent); problem != nil {
		switch {
		case problem.Number == 50076 && !silent && !f.config.AutoSignIn:
			f.showSecondFactor(w, r, request, person.user)
			return
		case silent:
			problem.Code = "interaction_required"
			f.redirectError(w, r, request, problem)
		default:
			f.showError(w, r, problem)
		}
		return
	}
	asksConsent := !f.config.AutoSignIn && slices.Contains(strings.Fields(request.params.Get("prompt")), "consent")
	switch {
	case request.kind == byAdmin && !person.user.Admin:
		f.showError(w, r, aadsts.AdminConsentNeeded())
	case request.kind == byAdmin:
		f.showConsent(w, r, request, person.user)
	case f.consented(request, person.user) && !asksConsent, f.config.AutoSignIn:
		f.answer(w, r, request, person)
	case silent:
		f.redirectError(w, r, request, aadsts.ConsentNeeded(request.client.ID, request.client.DisplayName))
	case f.needsAdmin(request, person.user):
		f.showError(w, r, aadsts.AdminConsentNeeded())
	default:
		f.showConsent(w, r, request, person.user)
	}
}

// read judges a request and fills in what it means. It reports done when it has answered.
func (f *Fake) read(w http.ResponseWriter, r *http.Request, request *authorization) (done bool) {
	var problem *aadsts.Error
	if request.kind == byDevice {
		if problem = f.readDevice(request); problem != nil {
			f.showError(w, r, problem)
		}
		return problem != nil
	}
	params := request.params
	if request.client, problem = f.findClient(request.tenant, request.place, params); problem != nil {
		f.showError(w, r, problem)
		return true
	}
	request.redirect = params.Get("redirect_uri")
	if request.redirect == "" {
		registered := request.client.RedirectURIs()
		if len(registered) == 0 {
			f.showError(w, r, aadsts.NoRedirectRegistered())
			return true
		}
		request.redirect = registered[0]
	}
	if request.platform, problem = matchRedirect(request.client, request.redirect); problem != nil {
		f.showError(w, r, problem)
		return true
	}
	// From here on the client is known, and errors are its own to handle.
	request.response.mode = "query"
	if request.kind == byAdmin {
		problem = f.judgeAdminConsent(request)
	} else {
		problem = f.judge(request)
	}
	if problem != nil {
		f.redirectError(w, r, request, problem)
	}
	return problem != nil
}

// judge looks at what an authorization request says besides who it is from.
func (f *Fake) judge(request *authorization) *aadsts.Error {
	params := request.params
	if problem := request.readResponse(); problem != nil {
		return problem
	}
	for _, prompt := range strings.Fields(params.Get("prompt")) {
		if !slices.Contains([]string{"none", "login", "consent", "select_account", "create"}, prompt) {
			return aadsts.Malformed() // L: the number is not known
		}
	}
	switch params.Get("code_challenge_method") {
	case "", "plain", "S256":
	default:
		return aadsts.ChallengeMalformed()
	}
	if challenge := params.Get("code_challenge"); challenge != "" && (len(challenge) < 43 || len(challenge) > 128) {
		return aadsts.ChallengeMalformed()
	} else if challenge == "" && request.platform == spa && request.response.code {
		return aadsts.SPAWithoutPKCE()
	}
	if _, problem := readClaimsRequest(params.Get("claims")); problem != nil {
		return problem
	}
	var problem *aadsts.Error
	if request.version == v1 {
		request.asked, problem = f.resolveV1(request.tenant, request.client, params.Get("resource"), params.Get("scope"))
		return problem
	}
	if params.Get("scope") == "" {
		return aadsts.MissingParameter("scope")
	}
	if request.asked, problem = f.resolve(request.tenant, request.client, params.Get("scope"), false); problem != nil {
		return problem
	}
	if request.response.idToken && !request.asked.has("openid") {
		return aadsts.MissingParameter("scope") // an ID token without openid
	}
	return f.checkResource(params.Get("resource"), params.Has("resource"), request.asked, request.tenant)
}

// readResponse reads response_type and response_mode (OAuth 2.0 Multiple Response Type Encoding Practices).
func (a *authorization) readResponse() *aadsts.Error {
	a.response = response{mode: "query"}
	kinds := strings.Fields(a.params.Get("response_type"))
	if len(kinds) == 0 {
		return aadsts.MissingParameter("response_type")
	}
	for _, one := range kinds {
		switch one {
		case "code":
			a.response.code = true
		case "id_token":
			a.response.idToken = true
		case "token":
			a.response.token = true
		default:
			return aadsts.UnsupportedResponseType(a.params.Get("response_type"))
		}
	}
	front := a.response.idToken || a.response.token
	if front {
		a.response.mode = "fragment"
	}
	switch mode := a.params.Get("response_mode"); mode {
	case "":
	case "query":
		if front {
			a.response.mode = "fragment"
			return aadsts.UnsupportedResponseMode(mode)
		}
	case "fragment", "form_post":
		a.response.mode = mode
	default:
		return aadsts.UnsupportedResponseMode(mode)
	}
	switch {
	case a.response.idToken && !a.client.ImplicitIDTokens:
		return aadsts.IDTokenNotEnabled("id_token")
	case a.response.token && !a.client.ImplicitAccessTokens:
		return aadsts.TokenNotEnabled("token")
	case a.response.idToken && a.params.Get("nonce") == "":
		return aadsts.MissingParameter("nonce")
	}
	return nil
}

// parameters reads query and form together. A parameter that is there twice is refused.
func (f *Fake) parameters(r *http.Request) (url.Values, *aadsts.Error) {
	if len(r.URL.RawQuery) > maxBody {
		return nil, aadsts.Malformed()
	}
	if err := r.ParseForm(); err != nil {
		return nil, aadsts.Malformed()
	}
	return r.Form, once(r.Form)
}

func once(params url.Values) *aadsts.Error {
	for _, values := range params {
		if len(values) > 1 || strings.ContainsRune(values[0], 0) {
			return aadsts.Malformed()
		}
	}
	return nil
}

// findClient finds the app that a request is from, in the directory of the person.
func (f *Fake) findClient(tenant *directory.Tenant, place *place, params url.Values) (*directory.App, *aadsts.Error) {
	id := params.Get("client_id")
	switch {
	case id == "":
		return nil, aadsts.MissingParameter("client_id")
	case !directory.IsGUID(id) || strings.Trim(id, "0-") == "":
		return nil, aadsts.AppIDMalformed(id)
	}
	app := f.directory.App(tenant, id)
	if app == nil {
		app, _ = f.registered.Get(id)
	}
	switch {
	case app == nil && place.tenant == nil && f.anyApp(id) != nil:
		return nil, aadsts.SingleTenant(id)
	case app == nil:
		return nil, aadsts.AppNotFound(id, tenant.DisplayName)
	case place.tenant == nil && !app.MultiTenant:
		return nil, aadsts.SingleTenant(id)
	case app.Disabled:
		return nil, aadsts.AppDisabled(app.ID, app.DisplayName)
	}
	return app, nil
}

// anyApp finds an app of any tenant.
func (f *Fake) anyApp(id string) *directory.App {
	for i := range f.directory.Tenants {
		if app := f.directory.Tenants[i].App(id); app != nil {
			return app
		}
	}
	return nil
}

// answer sends the browser back with what was asked for.
func (f *Fake) answer(w http.ResponseWriter, r *http.Request, request *authorization, person *signedIn) {
	switch request.kind {
	case byDevice:
		f.approveDevice(w, r, request, person)
		return
	case byAdmin:
		f.answerAdmin(w, r, request)
		return
	}
	d := f.delegate(request, person)
	f.remembersApp(r, request.client, d.sid)
	var result []parameter
	add := func(name, value string) { result = append(result, parameter{name, value}) }
	code, token := "", ""
	if request.response.code {
		code = f.newCode(request, d)
		add("code", code)
	}
	if request.response.token {
		issued, problem := f.issue(d, v2)
		if problem != nil {
			f.redirectError(w, r, request, problem)
			return
		}
		token = issued.AccessToken
		add("access_token", token)
		add("token_type", "Bearer")
		add("expires_in", string(issued.ExpiresIn))
		add("scope", issued.Scope)
	}
	if request.response.idToken {
		add("id_token", f.idToken(d, code, token))
	}
	if request.params.Get("client_info") == "1" {
		add("client_info", clientInfo(request.tenant, person.user))
	}
	if request.params.Has("state") {
		add("state", request.params.Get("state"))
	}
	add("session_state", f.newGUID())
	if f.config.Face == SpecAlignedFace {
		add("iss", f.Issuer(request.tenant.ID))
	}
	f.respond(w, r, request, result)
}

// delegate is what an authorization gives its client.
func (f *Fake) delegate(request *authorization, person *signedIn) delegation {
	wishes, _ := readClaimsRequest(request.params.Get("claims")) // judged before
	return delegation{
		version: request.version, tenant: request.tenant, client: request.client, user: person.user, platform: request.platform, asked: request.asked,
		nonce: request.params.Get("nonce"), sid: f.newGUID(), strength: "0", began: f.now(), signedIn: person.at, secondFactor: person.secondFactor,
		contexts: wishes.contexts, capabilities: wishes.capabilities, hybrid: request.response.idToken || request.response.token,
	}
}

// redirectError sends an error back to the client.
func (f *Fake) redirectError(w http.ResponseWriter, r *http.Request, request *authorization, problem *aadsts.Error) {
	if problem.Unredirected || request.kind == byDevice {
		f.showError(w, r, problem)
		return
	}
	noteProblem(w, problem)
	occurrence := f.occurrence(w, r)
	result := []parameter{{"error", problem.Code}, {"error_description", problem.Description(occurrence)}}
	if uri := problem.ErrorURI(occurrence); uri != "" {
		result = append(result, parameter{"error_uri", uri})
	}
	if problem.Suberror != "" {
		result = append(result, parameter{"error_subcode", problem.Suberror})
	}
	if problem.Claims != "" {
		result = append(result, parameter{"claims", problem.Claims})
	}
	if request.params.Has("state") {
		result = append(result, parameter{"state", request.params.Get("state")})
	}
	if f.config.Face == SpecAlignedFace {
		result = append(result, parameter{"iss", f.Issuer(request.tenant.ID)})
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
		f.showError(w, r, aadsts.RedirectMalformed())
		return
	}
	if target.Path == "" && target.Opaque == "" {
		target.Path = "/" // a redirect URI without a path comes back with one
	}
	if request.response.mode == "form_post" {
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
	case request.response.mode == "fragment":
		location += "#" + encoded.String()
	case target.RawQuery != "":
		location += "&" + encoded.String() + "#"
	default:
		location += "?" + encoded.String() + "#" // the bare fragment keeps one of an earlier page from being carried along
	}
	w.Header().Set("Location", location)
	w.WriteHeader(http.StatusFound)
}

// A claimsRequest is what the parameter claims can ask for here (OpenID Connect Core section 5.5, as Microsoft's
// libraries use it): authentication contexts and the second factor of a challenge, and what the client is capable of.
type claimsRequest struct {
	secondFactor bool
	contexts     []string // acrs
	capabilities []string // xms_cc
}

func readClaimsRequest(text string) (claimsRequest, *aadsts.Error) {
	var wishes claimsRequest
	if text == "" {
		return wishes, nil
	}
	type wish struct {
		Value  string   `json:"value"`
		Values []string `json:"values"`
	}
	var wanted struct {
		AccessToken map[string]*wish `json:"access_token"`
	}
	if len(text) > 16<<10 || json.Unmarshal([]byte(text), &wanted) != nil {
		return wishes, aadsts.Malformed()
	}
	values := func(name string) []string {
		one := wanted.AccessToken[name]
		if one == nil {
			return nil
		}
		all := slices.Clone(one.Values)
		if one.Value != "" {
			all = append(all, one.Value)
		}
		return all[:min(len(all), 25)]
	}
	wishes.contexts, wishes.capabilities = values("acrs"), values("xms_cc")
	wishes.secondFactor = len(wishes.contexts) > 0 || len(values("capolids")) > 0
	return wishes, nil
}

// A signedIn is a person who is signed in in a browser.
type signedIn struct {
	tenant       *directory.Tenant
	user         *directory.User
	at           time.Time
	secondFactor bool
}

// autoSignIn picks the person whom login_hint names, or else the first one.
func (f *Fake) autoSignIn(tenant *directory.Tenant, hint string) *signedIn {
	candidates := f.directory.Tenants
	if tenant != nil {
		candidates = []directory.Tenant{*tenant}
	}
	for i := range candidates {
		if user := candidates[i].User(hint); user != nil {
			return &signedIn{tenant: f.directory.Tenant(candidates[i].ID), user: user, at: f.now(), secondFactor: true}
		}
	}
	for i := range candidates {
		if len(candidates[i].Users) > 0 {
			return &signedIn{tenant: f.directory.Tenant(candidates[i].ID), user: &candidates[i].Users[0], at: f.now(), secondFactor: true}
		}
	}
	return nil
}
