package rules

import (
	"slices"
	"strings"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
)

// HasPrincipal reports whether an app has a service principal in a tenant. Graph has one in every
// tenant. The tenant of personal accounts needs none, and neither does a dynamically registered
// client, which no tenant has.
func (r *Rules) HasPrincipal(tenant *directory.Tenant, app *directory.App) bool {
	if app == &GraphApp || tenant.Personal() {
		return true
	}
	if _, found := tenant.ServicePrincipal(app); found {
		return true
	}
	if r.Created != nil && r.Created(tenant.ID, app.ID) {
		return true
	}
	return r.AnyApp(app.ID) == nil
}

// PrincipalOf returns the object ID of an app's service principal in a tenant.
func (r *Rules) PrincipalOf(tenant *directory.Tenant, app *directory.App) string {
	if r.AnyApp(app.ID) == nil && app.ObjectID != "" {
		return app.ObjectID // a dynamically registered client
	}
	return tenant.PrincipalID(app)
}

// FindResource finds an app by an identifier. It also finds Graph. The app needs a service
// principal in the tenant.
func (r *Rules) FindResource(tenant *directory.Tenant, identifier string) *directory.App {
	app := r.anyResource(tenant, identifier)
	if app == nil || !r.HasPrincipal(tenant, app) {
		return nil
	}
	return app
}

// anyResource is FindResource for an app with or without a service principal.
func (r *Rules) anyResource(tenant *directory.Tenant, identifier string) *directory.App {
	isHere := identifier == r.GraphURL || identifier == r.GraphURL+"/"
	if isHere || identifier == directory.GraphAppID || slices.Contains(GraphApp.IdentifierURIs, identifier) {
		return &GraphApp
	}
	if api := r.Directory.MicrosoftAPI(identifier); api != nil {
		return api
	}
	if app := tenant.Resource(identifier); app != nil {
		return app
	}
	for i := range r.Directory.Tenants {
		app := r.Directory.Tenants[i].Resource(identifier)
		if app != nil && (app.MultiTenant || tenant.Personal() && app.PersonalAccounts) {
			return app
		}
	}
	return nil
}

// resourceOf finds the resource of a scope for a client. A client's own API needs no service
// principal yet, because consent to the client makes it. An API that the client's registration
// lists has another error at the authorization endpoint than an unlisted one. The client is nil in
// the client credentials grant.
func (r *Rules) resourceOf(
	tenant *directory.Tenant,
	client *directory.App,
	identifier string,
	atToken bool,
) (*directory.App, *aadsts.Error) {
	app := r.anyResource(tenant, identifier)
	switch {
	case app == nil:
		return nil, aadsts.ResourceNotFound(identifier, tenant.ID)
	case app == client, r.HasPrincipal(tenant, app):
		return app, nil
	case client != nil && !atToken && r.lists(tenant, client, app):
		return nil, aadsts.ServiceMissing(app.ID, app.DisplayName, tenant.ID).Later()
	}
	return nil, aadsts.ResourceNotFound(identifier, tenant.ID)
}

// lists reports whether a client's registration lists permissions to an API.
func (r *Rules) lists(tenant *directory.Tenant, client, api *directory.App) bool {
	return slices.ContainsFunc(client.Permissions, func(permission string) bool {
		cut := strings.LastIndexByte(permission, '/')
		return cut >= 0 && r.anyResource(tenant, permission[:cut]) == api
	})
}

// CheckListedServices checks that every API in a client's registration has a service principal in
// the tenant. A request for all listed permissions needs it.
func (r *Rules) CheckListedServices(tenant *directory.Tenant, client *directory.App) *aadsts.Error {
	for _, permission := range client.Permissions {
		cut := strings.LastIndexByte(permission, '/')
		if cut < 0 {
			continue // a name of Graph
		}
		app := r.anyResource(tenant, permission[:cut])
		if app != nil && app != client && !r.HasPrincipal(tenant, app) {
			return aadsts.ServiceMissing(app.ID, app.DisplayName, tenant.ID).Later()
		}
	}
	return nil
}
