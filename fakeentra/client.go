package fakeentra

import (
	"net/url"
	"strings"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
)

// findClient finds the app that a request is from, in the directory of the person.
func (f *Fake) findClient(tenant *directory.Tenant, place *place, params url.Values) (*directory.App, *aadsts.Error) {
	id := params.Get("client_id")
	switch {
	case id == "":
		return nil, aadsts.MissingParameter("client_id")
	case !directory.IsGUID(id) || strings.Trim(id, "0-") == "":
		return nil, aadsts.AppIDMalformed(id)
	}
	if app, found := f.registered.Get(id); found {
		return app, nil
	}
	app := f.directory.App(tenant, id)
	here := app != nil
	if !here {
		app = f.anyApp(id)
	}
	switch {
	case app == nil:
		return nil, aadsts.AppNotFound(id, tenant.DisplayName)
	case tenant.Personal() && !app.PersonalAccounts:
		return nil, aadsts.WorkAccountsOnly(app.ID, app.DisplayName)
	case !tenant.Personal() && app.PersonalAccounts && !app.MultiTenant:
		return nil, aadsts.PersonalAccountsOnly(app.ID, app.DisplayName)
	case place.tenant == nil && !app.MultiTenant && !app.PersonalAccounts:
		return nil, aadsts.SingleTenant(app.ID, app.DisplayName)
	case !here:
		return nil, aadsts.AppNotFound(id, tenant.DisplayName)
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
