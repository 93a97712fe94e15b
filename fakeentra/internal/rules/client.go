package rules

import (
	"strings"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
)

// CheckClientID checks the parameter client_id without the directory.
func CheckClientID(id string) *aadsts.Error {
	switch {
	case id == "":
		return aadsts.MissingParameter("client_id")
	case !directory.IsGUID(id) || strings.Trim(id, "0-") == "":
		return aadsts.AppIDMalformed(id)
	}
	return nil
}

// FindClient finds the app that sent a request, in the tenant of the person. Shared says that the
// request came to an endpoint for several tenants.
func (r *Rules) FindClient(tenant *directory.Tenant, shared bool, id string) (*directory.App, *aadsts.Error) {
	app := r.Directory.App(tenant, id)
	isHere := app != nil
	if !isHere {
		app = r.AnyApp(id)
	}
	switch {
	case app == nil:
		return nil, aadsts.AppNotFound(id, tenant.DisplayName)
	case tenant.Personal() && !app.PersonalAccounts:
		return nil, aadsts.WorkAccountsOnly(app.ID, app.DisplayName)
	case !tenant.Personal() && app.PersonalAccounts && !app.MultiTenant:
		return nil, aadsts.PersonalAccountsOnly(app.ID, app.DisplayName)
	case shared && !app.MultiTenant && !app.PersonalAccounts:
		return nil, aadsts.SingleTenant(app.ID, app.DisplayName)
	case !isHere:
		return nil, aadsts.AppNotFound(id, tenant.DisplayName)
	case app.Disabled:
		return nil, aadsts.AppDisabled(app.ID, app.DisplayName)
	}
	return app, nil
}

// HomeOf returns the tenant of the app with an ID, or the first tenant if no tenant has it.
func (r *Rules) HomeOf(clientID string) *directory.Tenant {
	if app := r.AnyApp(clientID); app != nil {
		return r.Directory.HomeOf(app)
	}
	return &r.Directory.Tenants[0]
}

// AnyApp finds an app of any tenant.
func (r *Rules) AnyApp(id string) *directory.App {
	for i := range r.Directory.Tenants {
		if app := r.Directory.Tenants[i].App(id); app != nil {
			return app
		}
	}
	return nil
}
