package fakeentra

import (
	"net/http"
	"net/url"
	"slices"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/internal/pages"
	"mcpentra/fakeentra/internal/rules"
	"mcpentra/fakeentra/internal/state"
)

// consented reports whether the client already has every permission that it asks for.
func (f *Fake) consented(request *authorization, user *directory.User) bool {
	granted := f.state.Granted(&f.rules, request.tenant, request.client, user)
	return !slices.ContainsFunc(request.asked.All(), func(name string) bool { return !slices.Contains(granted, name) })
}

// handleConsent takes the consent page's form.
func (f *Fake) handleConsent(w http.ResponseWriter, r *http.Request) {
	request, form, done := f.readForm(w, r)
	if done {
		return
	}
	person := f.state.SignedIn(sessionOf(r), request.tenant)
	if person == nil {
		f.showSignIn(w, r, request, "")
		return
	}
	if request.tenant == nil {
		request.tenant = person.Tenant
	}
	if done := f.read(w, r, request); done {
		return
	}
	if form.Get("answer") != "accept" {
		f.refuse(w, r, request, aadsts.ConsentDeclined())
		return
	}
	// What the page showed is what a person can approve: policies and rights are looked at again,
	// not taken from the form.
	key := state.ConsentKey{TenantID: request.tenant.ID, UserID: person.User.ID, ClientID: request.client.ID}
	if request.kind == byAdmin {
		if !person.User.Admin {
			f.showError(w, r, aadsts.AdminConsentNeeded())
			return
		}
		key.UserID = ""
	} else if problem := checkAccess(request, person); problem != nil {
		f.showError(w, r, problem)
		return
	} else if rules.NeedsAdmin(request.tenant, person.User, request.asked) {
		f.showError(w, r, aadsts.AdminConsentNeeded())
		return
	}
	f.state.Consent(key, request.asked.All())
	f.answer(w, r, request, person)
}

// refuse ends an authorization because the person declined it.
func (f *Fake) refuse(w http.ResponseWriter, r *http.Request, request *authorization, problem *aadsts.Error) {
	if request.kind == byDevice {
		f.declineDevice(w, r, request)
		return
	}
	f.redirectError(w, r, request, problem)
}

// handleAdminConsent is the endpoint where an administrator grants an app permissions for all
// users.
func (f *Fake) handleAdminConsent(v rules.Version) http.HandlerFunc {
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
		f.begin(w, r, &authorization{kind: byAdmin, version: v, tenantPath: path, tenant: path.Tenant, params: params})
	}
}

// resolveAdminConsent resolves the scopes that an administrator is asked for. The v1 form has no
// scope. It stands for the registration of the app, which is sign-in here.
func (request *authorization) resolveAdminConsent(entra *rules.Rules) *aadsts.Error {
	scope := request.params.Get("scope")
	if scope == "" && request.version == rules.V2 {
		return aadsts.MissingParameter("scope")
	}
	if scope == "" {
		scope = "openid profile User.Read"
	}
	var problem *aadsts.Error
	request.asked, problem = entra.Resolve(request.tenant, request.client, scope, false)
	return problem
}

// answerAdmin tells the client that all users have given consent (M: the order of the parameters).
func (f *Fake) answerAdmin(w http.ResponseWriter, r *http.Request, request *authorization) {
	result := []pages.Parameter{
		{Name: "admin_consent", Value: "True"},
		{Name: "tenant", Value: request.tenant.ID},
	}
	for _, name := range []string{"scope", "state"} {
		if request.params.Has(name) {
			result = append(result, pages.Parameter{Name: name, Value: request.params.Get(name)})
		}
	}
	f.respond(w, r, request, result)
}

// readForm reads the form of a page. The address of the form carries the authorization, which is
// checked again: nothing from the page is trusted.
func (f *Fake) readForm(w http.ResponseWriter, r *http.Request) (request *authorization, form url.Values, done bool) {
	if err := r.ParseForm(); err != nil || once(r.PostForm) != nil {
		f.showError(w, r, aadsts.Malformed())
		return nil, nil, true
	}
	params := r.URL.Query()
	if problem := once(params); problem != nil {
		f.showError(w, r, problem)
		return nil, nil, true
	}
	path, problem := f.rules.TenantPath(r.PathValue("tenant"))
	if problem != nil {
		f.showError(w, r, problem)
		return nil, nil, true
	}
	request = &authorization{
		kind:       kind(r.PathValue("kind")),
		version:    rules.V2,
		tenantPath: path,
		tenant:     path.Tenant,
		params:     params,
	}
	if r.PathValue("version") == "v1" {
		request.version = rules.V1
	}
	if request.kind != byClient && request.kind != byDevice && request.kind != byAdmin {
		http.NotFound(w, r)
		return nil, nil, true
	}
	return request, r.PostForm, false
}
