package fakeentra

import (
	"net/http"
	"net/url"
	"slices"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/internal/rules"
	"mcpentra/fakeentra/internal/state"
)

// consented reports whether the client already has every permission that it asks for.
func (f *Fake) consented(
	tenant *directory.Tenant,
	client *directory.App,
	user *directory.User,
	asked *rules.Permissions,
) bool {
	if !f.rules.HasPrincipal(tenant, client) {
		return false
	}
	granted := f.state.Granted(&f.rules, tenant, client, user)
	return !slices.ContainsFunc(asked.All(), func(name string) bool { return !slices.Contains(granted, name) })
}

// checkConsented checks consent at the token endpoint, where no page can ask for it.
func (f *Fake) checkConsented(
	tenant *directory.Tenant,
	client *directory.App,
	user *directory.User,
	asked *rules.Permissions,
) *aadsts.Error {
	switch {
	case f.config.AutoSignIn:
		f.state.CreatePrincipal(&f.rules, tenant, client)
		return nil
	case f.consented(tenant, client, user, asked):
		return nil
	}
	return aadsts.ConsentNeededAtToken(client.ID, client.DisplayName)
}

// handleConsent handles the form of the consent page.
func (f *Fake) handleConsent(
	w http.ResponseWriter,
	r *http.Request,
	request *authorization,
	form url.Values,
) *pageError {
	person := f.state.SignedIn(sessionOf(r), request.tenant)
	if person == nil {
		f.showSignIn(w, r, request, "")
		return nil
	}
	if request.tenant == nil {
		request.tenant = person.Tenant
	}
	if failed := f.read(request); failed != nil {
		return failed
	}
	switch {
	case form.Get("answer") == "accept":
	case request.kind == byDevice:
		declineDevice(w, f.state, request)
		return nil
	case request.kind == byAdmin:
		return f.declineAdminConsent(w, r, request)
	default:
		return asRedirect(request, aadsts.ConsentDeclined())
	}
	if problem := checkConsent(&f.rules, request, person); problem != nil {
		return asPage(problem)
	}
	key := state.ConsentKey{TenantID: request.tenant.ID, UserID: person.User.ID, ClientID: request.client.ID}
	if request.kind == byAdmin {
		key.UserID = "" // for all users
	}
	f.state.Consent(key, request.asked.All())
	return f.answer(w, r, request, person)
}

// checkConsent checks that a person may give this consent. The form proves nothing: it can come
// without the page.
func checkConsent(entra *rules.Rules, request *authorization, person *state.SignedIn) *aadsts.Error {
	if request.kind == byAdmin {
		if !person.User.Admin {
			return aadsts.AdminConsentNeeded()
		}
		return nil
	}
	if problem := checkAccess(request, person); problem != nil {
		return problem
	}
	if entra.NeedsAdmin(request.tenant, person.User, request.asked) {
		return aadsts.AdminConsentNeeded()
	}
	return nil
}

// resolveAdminConsent resolves the scopes that an administrator is asked for. A v1 request has no
// scope. It asks for the permissions in the app's registration, which here are the scopes of a
// sign-in.
func (f *Fake) resolveAdminConsent(request *authorization) (problem *aadsts.Error) {
	scope := request.params.Get("scope")
	if scope == "" && request.version == rules.V2 {
		return aadsts.MissingParameter("scope")
	}
	if scope == "" {
		scope = "openid profile User.Read"
	}
	request.asked, problem = f.rules.Resolve(request.tenant, request.client, scope, false)
	if problem == nil && (request.version == rules.V1 || request.asked.HasDefault()) {
		problem = f.rules.CheckListedServices(request.tenant, request.client)
	}
	return problem
}
