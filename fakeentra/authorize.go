package fakeentra

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/internal/rules"
	"mcpentra/fakeentra/internal/state"
)

// An authorization asks a person to sign in and to approve a client. It is a request to the
// authorization endpoint, the request of a device, or an administrator's consent.
type authorization struct {
	kind       kind
	version    rules.Version
	tenantPath *rules.TenantPath
	tenant     *directory.Tenant // nil at a shared endpoint until the person is known
	client     *directory.App
	redirect   string // as the client wrote it
	platform   rules.Platform
	response   response
	asked      *rules.Permissions
	params     url.Values
	device     *state.DeviceCode
}

// A kind is the source of an authorization. It is a segment in the paths of the forms.
type kind string

const (
	byClient kind = "authorize"
	byDevice kind = "device"
	byAdmin  kind = "adminconsent"
)

// handleAuthorize is the authorization endpoint, or the endpoint of an administrator's consent. An
// error goes to the client once the client and its redirect URI are known.
func (f *Fake) handleAuthorize(source kind, v rules.Version) http.HandlerFunc {
	return f.page(func(w http.ResponseWriter, r *http.Request) *pageError {
		params, problem := parameters(r)
		if problem != nil {
			return asPage(problem)
		}
		path, problem := f.rules.TenantPath(r.PathValue("tenant"))
		if problem != nil {
			return asPage(problem)
		}
		return f.begin(w, r, &authorization{
			kind:       source,
			version:    v,
			tenantPath: path,
			tenant:     path.Tenant,
			params:     params,
		})
	})
}

// begin shows the first page that an authorization needs, or answers without one.
func (f *Fake) begin(w http.ResponseWriter, r *http.Request, request *authorization) *pageError {
	prompts := strings.Fields(request.params.Get("prompt"))
	hint := request.params.Get("login_hint")
	silent := slices.Contains(prompts, "none")
	person, several := f.state.Pick(sessionOf(r), request.tenant, hint)
	if f.config.AutoSignIn {
		person = nil
		several = false
		if tenant, user := f.rules.PickUser(request.tenant, hint); user != nil {
			person = &state.SignedIn{Tenant: tenant, User: user, At: f.clock.now(), SecondFactor: true}
		}
	}
	wantsPage := slices.Contains(prompts, "login") || slices.Contains(prompts, "select_account")
	tooOld := !f.config.AutoSignIn && isTooOld(person, request.params, f.clock.now())
	ask := person == nil || tooOld || !f.config.AutoSignIn && (several && !silent || wantsPage)
	if request.tenant == nil {
		switch {
		case person != nil && !ask:
			if failed := refusePersonal(&f.rules, request, person.Tenant, person.User); failed != nil {
				return failed
			}
			request.tenant = person.Tenant
		case !silent:
			// The tenant is unknown until the person signs in, so the request cannot be checked
			// yet. Entra ID shows its page, too (M).
			f.showSignIn(w, r, request, "")
			return nil
		default:
			request.tenant = f.rules.HomeOf(request.params.Get("client_id"))
		}
	}
	failed := f.read(request)
	if failed != nil && !(failed.problem.AfterSignIn && ask) {
		return failed
	}
	switch {
	case silent && (person == nil || tooOld):
		return asRedirect(request, aadsts.SignInNeeded())
	case silent && several:
		return asRedirect(request, aadsts.WhichUser())
	case ask:
		f.showSignIn(w, r, request, "")
		return nil
	}
	return f.proceed(w, r, request, person)
}

// proceed continues an authorization once the person is known: policies, consent, response.
func (f *Fake) proceed(
	w http.ResponseWriter,
	r *http.Request,
	request *authorization,
	person *state.SignedIn,
) *pageError {
	prompts := strings.Fields(request.params.Get("prompt"))
	silent := slices.Contains(prompts, "none")
	if problem := checkAccess(request, person); problem != nil {
		switch {
		case problem.Number == 50076 && !silent && !f.config.AutoSignIn:
			showSecondFactor(w, request, person.User)
			return nil
		case silent:
			problem.Code = "interaction_required"
			problem.Unredirected = false // no person sees a page
			return asRedirect(request, problem)
		}
		return asPage(problem)
	}
	asksConsent := !f.config.AutoSignIn && slices.Contains(prompts, "consent")
	switch {
	case request.kind == byAdmin && !person.User.Admin:
		return asPage(aadsts.AdminConsentNeeded())
	case request.kind == byAdmin:
		showConsent(w, &f.rules, request, person.User)
	case f.consented(request.tenant, request.client, person.User, request.asked) && !asksConsent, f.config.AutoSignIn:
		return f.answer(w, r, request, person)
	case silent:
		return asRedirect(request, aadsts.ConsentNeeded(request.client.ID, request.client.DisplayName))
	case f.rules.NeedsAdmin(request.tenant, person.User, request.asked):
		return asPage(aadsts.AdminConsentNeeded())
	default:
		showConsent(w, &f.rules, request, person.User)
	}
	return nil
}

// checkAccess decides whether a person may have tokens for an authorization. It applies the rules
// of the directory, and asks for the second factor that the request itself wants.
func checkAccess(request *authorization, person *state.SignedIn) *aadsts.Error {
	wishes, _ := rules.ReadClaimsRequest(request.params.Get("claims"))
	problem := rules.CheckAccess(&rules.Delegation{
		Tenant:       request.tenant,
		Client:       request.client,
		User:         person.User,
		Asked:        request.asked,
		SecondFactor: person.SecondFactor,
	})
	if problem != nil {
		return problem
	}
	if wishes.SecondFactor && !person.SecondFactor {
		return aadsts.MFANeeded(request.client.ID)
	}
	return nil
}

// read checks a request and fills in its client, redirect URI and scopes.
func (f *Fake) read(request *authorization) *pageError {
	if request.kind == byDevice {
		if problem := f.readDevice(request); problem != nil {
			return asPage(problem)
		}
		return nil
	}
	if problem := f.readClient(request); problem != nil {
		return asPage(problem)
	}
	// From here on the client and its redirect URI are known, so errors go to the client.
	request.response.mode = "query"
	check := f.checkParameters
	if request.kind == byAdmin {
		check = f.resolveAdminConsent
	}
	if problem := check(request); problem != nil {
		return asRedirect(request, problem)
	}
	return nil
}

// readClient fills in the client and its redirect URI.
func (f *Fake) readClient(request *authorization) *aadsts.Error {
	if request.version == rules.V1 && request.tenant.Personal() {
		return aadsts.OldVersionForPersonal()
	}
	client, problem := f.findClient(request.tenant, request.tenantPath, request.params)
	if problem != nil {
		return problem
	}
	request.client = client
	request.redirect = request.params.Get("redirect_uri")
	if request.redirect == "" {
		registered := client.RedirectURIs()
		if len(registered) == 0 {
			return aadsts.NoRedirectRegistered()
		}
		request.redirect = registered[0]
	}
	request.platform, problem = f.rules.MatchRedirect(client, request.redirect)
	return problem
}

// checkParameters checks the parameters of an authorization request other than client_id and
// redirect_uri.
func (f *Fake) checkParameters(request *authorization) *aadsts.Error {
	params := request.params
	if problem := request.readResponse(); problem != nil {
		return problem
	}
	if !knowsPrompt(request.tenant, params.Get("prompt")) {
		return aadsts.UnsupportedPrompt()
	}
	switch params.Get("code_challenge_method") {
	case "", "plain", "S256":
	default:
		return aadsts.ChallengeMalformed()
	}
	challenge := params.Get("code_challenge")
	switch {
	case challenge != "" && (len(challenge) < 43 || len(challenge) > 128):
		return aadsts.ChallengeMalformed()
	case challenge == "" && request.platform == rules.SPA && request.response.code:
		return aadsts.SPAWithoutPKCE()
	}
	if _, problem := rules.ReadClaimsRequest(params.Get("claims")); problem != nil {
		return problem
	}
	if _, _, problem := readMaxAge(params); problem != nil {
		return problem
	}
	return f.resolveScopes(request)
}

// knowsPrompt reports whether Entra ID has a prompt. It accepts one value, unlike OpenID Connect
// Core section 3.1.2.1. Only personal accounts have create.
func knowsPrompt(tenant *directory.Tenant, prompt string) bool {
	switch prompt {
	case "", "none", "login", "consent", "select_account":
		return true
	case "create":
		return tenant.Personal()
	}
	return false
}

// resolveScopes fills in the permissions that a request asks for, and checks its resource.
func (f *Fake) resolveScopes(request *authorization) (problem *aadsts.Error) {
	params := request.params
	scope := params.Get("scope")
	if request.version == rules.V1 {
		request.asked, problem = f.rules.ResolveV1(request.tenant, request.client, params.Get("resource"), scope)
		if problem == nil {
			problem = f.rules.CheckListedServices(request.tenant, request.client)
		}
		return problem
	}
	if scope == "" && f.config.Face == SpecAlignedFace {
		scope = unaskedScope
	}
	if scope == "" {
		return aadsts.MissingParameter("scope")
	}
	if problem := f.checkResource(params, request.tenant, scope, nil); problem != nil {
		return problem
	}
	request.asked, problem = f.rules.Resolve(request.tenant, request.client, scope, false)
	if problem == nil && request.response.idToken && !request.asked.Has("openid") {
		return aadsts.MissingParameter("scope") // an ID token without openid
	}
	if problem == nil && request.asked.HasDefault() {
		problem = f.rules.CheckListedServices(request.tenant, request.client)
	}
	return problem
}

// parameters reads query and form together. It refuses a repeated parameter.
func parameters(r *http.Request) (url.Values, *aadsts.Error) {
	if len(r.URL.RawQuery) > maxBody {
		return nil, aadsts.Malformed()
	}
	if err := r.ParseForm(); err != nil {
		return nil, aadsts.Malformed()
	}
	return r.Form, once(r.Form)
}

// once refuses a repeated parameter, and a value with a zero byte.
func once(params url.Values) *aadsts.Error {
	for _, values := range params {
		if len(values) > 1 || strings.ContainsRune(values[0], 0) {
			return aadsts.Malformed()
		}
	}
	return nil
}
