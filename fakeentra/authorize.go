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
	redirect   string // as asked for
	platform   rules.Platform
	response   response
	asked      *rules.Permissions
	params     url.Values
	device     *state.DeviceCode
}

// A kind is the source of an authorization. It is part of the addresses of the pages.
type kind string

const (
	byClient kind = "authorize"
	byDevice kind = "device"
	byAdmin  kind = "adminconsent"
)

// handleAuthorize is the authorization endpoint. An error goes back to the client once the client
// and its redirect URI are known. Any other error is a page: no browser is sent to an address that
// is not registered.
func (f *Fake) handleAuthorize(v rules.Version) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		params, problem := parameters(r)
		if problem != nil {
			f.showError(w, r, problem)
			return
		}
		path, problem := f.rules.TenantPath(r.PathValue("tenant"))
		if problem != nil {
			f.showError(w, r, problem)
			return
		}
		request := &authorization{kind: byClient, version: v, tenantPath: path, tenant: path.Tenant, params: params}
		f.begin(w, r, request)
	}
}

// begin shows the first page that an authorization needs, or answers without one.
func (f *Fake) begin(w http.ResponseWriter, r *http.Request, request *authorization) {
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
	ask := person == nil ||
		!f.config.AutoSignIn &&
			(several && !silent || slices.Contains(prompts, "login") || slices.Contains(prompts, "select_account"))
	if request.tenant == nil {
		switch {
		case person != nil && !ask:
			request.tenant = person.Tenant
		case !silent:
			// Which directory is meant is not known yet, so nothing of the request can be judged.
			// Entra ID shows its page, too (M).
			f.showSignIn(w, r, request, "")
			return
		default:
			request.tenant = f.rules.HomeOf(request.params.Get("client_id"))
		}
	}
	if done := f.read(w, r, request); done {
		return
	}
	switch {
	case silent && person == nil:
		f.redirectError(w, r, request, aadsts.SignInNeeded())
	case silent && several:
		f.redirectError(w, r, request, aadsts.WhichUser())
	case ask:
		f.showSignIn(w, r, request, "")
	default:
		f.proceed(w, r, request, person)
	}
}

// proceed continues an authorization once the person is known: policies, consent, response.
func (f *Fake) proceed(w http.ResponseWriter, r *http.Request, request *authorization, person *state.SignedIn) {
	silent := slices.Contains(strings.Fields(request.params.Get("prompt")), "none")
	if problem := checkAccess(request, person); problem != nil {
		switch {
		case problem.Number == 50076 && !silent && !f.config.AutoSignIn:
			showSecondFactor(w, request, person.User)
			return
		case silent:
			problem.Code = "interaction_required"
			problem.Unredirected = false // no person sees a page
			f.redirectError(w, r, request, problem)
		default:
			f.showError(w, r, problem)
		}
		return
	}
	asksConsent := !f.config.AutoSignIn && slices.Contains(strings.Fields(request.params.Get("prompt")), "consent")
	switch {
	case request.kind == byAdmin && !person.User.Admin:
		f.showError(w, r, aadsts.AdminConsentNeeded())
	case request.kind == byAdmin:
		showConsent(w, request, person.User)
	case f.consented(request, person.User) && !asksConsent, f.config.AutoSignIn:
		f.answer(w, r, request, person)
	case silent:
		f.redirectError(w, r, request, aadsts.ConsentNeeded(request.client.ID, request.client.DisplayName))
	case rules.NeedsAdmin(request.tenant, person.User, request.asked):
		f.showError(w, r, aadsts.AdminConsentNeeded())
	default:
		showConsent(w, request, person.User)
	}
}

// checkAccess decides whether a person may have tokens for an authorization: the rules of the
// directory, and the second factor that the request itself asks for.
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

// read checks a request and fills in its client, redirect URI and scopes. It reports done when it
// has answered.
func (f *Fake) read(w http.ResponseWriter, r *http.Request, request *authorization) (done bool) {
	var problem *aadsts.Error
	if request.kind == byDevice {
		if problem = f.readDevice(request); problem != nil {
			f.showError(w, r, problem)
		}
		return problem != nil
	}
	params := request.params
	if request.version == rules.V1 && request.tenant.Personal() {
		f.showError(w, r, aadsts.OldVersionForPersonal())
		return true
	}
	if request.client, problem = f.findClient(request.tenant, request.tenantPath, params); problem != nil {
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
	if request.platform, problem = f.rules.MatchRedirect(request.client, request.redirect); problem != nil {
		f.showError(w, r, problem)
		return true
	}
	// From here on the client is known, and errors are its own to handle.
	request.response.mode = "query"
	if request.kind == byAdmin {
		problem = request.resolveAdminConsent(&f.rules)
	} else {
		problem = f.judge(request)
	}
	if problem != nil {
		f.redirectError(w, r, request, problem)
	}
	return problem != nil
}

// judge checks the parameters of an authorization request other than client_id and redirect_uri.
func (f *Fake) judge(request *authorization) *aadsts.Error {
	params := request.params
	if problem := request.readResponse(); problem != nil {
		return problem
	}
	for _, prompt := range strings.Fields(params.Get("prompt")) {
		if !slices.Contains([]string{"none", "login", "consent", "select_account", "create"}, prompt) {
			return aadsts.UnsupportedPrompt()
		}
	}
	switch params.Get("code_challenge_method") {
	case "", "plain", "S256":
	default:
		return aadsts.ChallengeMalformed()
	}
	if challenge := params.Get("code_challenge"); challenge != "" && (len(challenge) < 43 || len(challenge) > 128) {
		return aadsts.ChallengeMalformed()
	} else if challenge == "" && request.platform == rules.SPA && request.response.code {
		return aadsts.SPAWithoutPKCE()
	}
	if _, problem := rules.ReadClaimsRequest(params.Get("claims")); problem != nil {
		return problem
	}
	var problem *aadsts.Error
	if request.version == rules.V1 {
		request.asked, problem = f.rules.ResolveV1(
			request.tenant,
			request.client,
			params.Get("resource"),
			params.Get("scope"),
		)
		return problem
	}
	scope := params.Get("scope")
	if scope == "" && f.config.Face == SpecAlignedFace {
		scope = unaskedScope
	}
	if scope == "" {
		return aadsts.MissingParameter("scope")
	}
	if request.asked, problem = f.rules.Resolve(request.tenant, request.client, scope, false); problem != nil {
		return problem
	}
	if request.response.idToken && !request.asked.Has("openid") {
		return aadsts.MissingParameter("scope") // an ID token without openid
	}
	return f.checkResource(params.Get("resource"), params.Has("resource"), request.asked, request.tenant)
}

// parameters reads query and form together. It refuses a parameter that is there twice.
func parameters(r *http.Request) (url.Values, *aadsts.Error) {
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
