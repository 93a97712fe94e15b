package fakeentra

import (
	"net/url"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/internal/rules"
)

// findClient finds the app that sent a request, among the dynamically registered clients and in the
// directory.
func (f *Fake) findClient(
	tenant *directory.Tenant,
	path *rules.TenantPath,
	params url.Values,
) (*directory.App, *aadsts.Error) {
	id := params.Get("client_id")
	if problem := rules.CheckClientID(id); problem != nil {
		return nil, problem
	}
	if app, found := f.state.Registered(id); found {
		return app, nil
	}
	return f.rules.FindClient(tenant, path.Tenant == nil, id)
}
