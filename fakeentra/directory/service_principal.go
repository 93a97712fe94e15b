package directory

import (
	"fmt"
	"strings"
)

// A ServicePrincipal is the presence of another tenant's app in a tenant. An administrator made it.
// Without one the app gets no tokens of its own there, and its API is unknown. A person's consent
// makes it, too. An app of the tenant has one unless its registration says NoServicePrincipal.
type ServicePrincipal struct {
	App string `yaml:"app"` // application ID of a multi-tenant app
	// ObjectID is the oid and sub of app-only tokens of the tenant. Empty means an ID derived from
	// the IDs of the tenant and the app.
	ObjectID string `yaml:"objectId"`
	// Consented are the permissions that an administrator of this tenant granted for all users,
	// written as scopes.
	Consented []string `yaml:"consented"`
}

// ServicePrincipal finds the service principal of an app in the directory. It does not know those
// that consent made.
func (t *Tenant) ServicePrincipal(app *App) (ServicePrincipal, bool) {
	if home := t.App(app.ID); home != nil {
		own := ServicePrincipal{App: home.ID, ObjectID: home.ObjectID, Consented: home.Consented}
		return own, !home.NoServicePrincipal
	}
	for _, principal := range t.ServicePrincipals {
		if strings.EqualFold(principal.App, app.ID) {
			return principal, true
		}
	}
	return ServicePrincipal{}, false
}

// PrincipalID returns the object ID of an app's service principal in a tenant. Consent makes a
// service principal with this ID, too.
func (t *Tenant) PrincipalID(app *App) string {
	principal, _ := t.ServicePrincipal(app)
	switch {
	case principal.ObjectID != "":
		return principal.ObjectID
	case t.App(app.ID) != nil:
		return guidOf("service principal", app.ID)
	}
	return guidOf("service principal", t.ID, app.ID)
}

// completeServicePrincipals replaces the names of the apps, and adds the object IDs to principals.
func (t *Tenant) completeServicePrincipals(apps, principals map[string]string, f *File) {
	for i := range t.ServicePrincipals {
		t.ServicePrincipals[i].App = find(t.ServicePrincipals[i].App, apps)
		directory := f.Directory()
		if app := directory.App(t, t.ServicePrincipals[i].App); app != nil {
			principals[strings.ToLower(app.DisplayName)] = t.PrincipalID(app)
		}
	}
}

// principals checks the service principals of a tenant.
func (c *checker) principals(path string, tenant *Tenant) {
	seen := map[string]bool{}
	for i, principal := range tenant.ServicePrincipals {
		key := fmt.Sprintf("%s.servicePrincipals[%d]", path, i)
		id := strings.ToLower(principal.App)
		switch app := c.directory.App(tenant, id); {
		case app == nil, tenant.App(id) != nil:
			c.add(key+".app", "directory: service principal: want the name or ID of a multi-tenant app of another "+
				"tenant, got %q", principal.App)
		case seen[id]:
			c.add(key+".app", "directory: service principal: the app %q appears twice", principal.App)
		}
		seen[id] = true
		for j, permission := range principal.Consented {
			api, name := c.directory.splitPermission(permission)
			if api != nil && c.directory.ScopeOf(api, name) == nil {
				c.add(fmt.Sprintf("%s.consented[%d]", key, j), "directory: service principal: %s has no delegated "+
					"permission %q; %s", api.title(), name, api.whereToDeclare("scopes"))
			}
		}
		if principal.ObjectID != "" && !IsGUID(principal.ObjectID) {
			c.add(key+".objectId", "directory: service principal: want a GUID as object ID, got %q", principal.ObjectID)
		}
	}
}
