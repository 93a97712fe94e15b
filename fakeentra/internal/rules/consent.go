package rules

import (
	"slices"
	"strings"

	"mcpentra/fakeentra/directory"
)

// NeedsAdmin reports whether the consent needs an administrator, and the user is not one.
func (r *Rules) NeedsAdmin(tenant *directory.Tenant, user *directory.User, asked *Permissions) bool {
	if user.Admin {
		return false
	}
	if tenant.NoUserConsent {
		return true
	}
	for _, group := range asked.Groups {
		for _, name := range group.Names {
			if scope := r.Directory.ScopeOf(group.App, name); scope != nil && scope.AdminOnly {
				return true
			}
		}
	}
	return false
}

// Consented returns the permissions that the directory gives a client. An administrator granted
// them for all users, or the API preauthorizes the client.
func (r *Rules) Consented(tenant *directory.Tenant, client *directory.App) []string {
	var granted []string
	principal, _ := tenant.ServicePrincipal(client)
	if tenant.Personal() {
		principal.Consented = client.Consented // there are no service principals
	}
	for _, scope := range principal.Consented {
		if asked, problem := r.Resolve(tenant, client, scope, false); problem == nil {
			granted = append(granted, asked.All()...)
		}
	}
	if len(principal.Consented) > 0 {
		for _, name := range OIDCScopes {
			granted = append(granted, ConsentName(&GraphApp, name))
		}
	}
	for i := range r.Directory.Tenants {
		for j := range r.Directory.Tenants[i].Apps {
			api := &r.Directory.Tenants[i].Apps[j]
			if slices.Contains(api.PreAuthorized, client.ID) && r.HasPrincipal(tenant, api) {
				for _, scope := range api.Scopes {
					granted = append(granted, ConsentName(api, scope.Name))
				}
			}
		}
	}
	return granted
}

// Granted returns the scopes of a token for one resource: those in the request and those with
// earlier consent. A token for Graph also has the OpenID Connect scopes. No token has
// offline_access (M).
func Granted(asked *Permissions, group PermissionGroup, consented []string) []string {
	names := slices.Concat(group.Names, group.Implied)
	for _, permission := range consented {
		name, found := strings.CutPrefix(permission, group.App.ID+"/")
		if found && !slices.Contains(names, name) && !slices.Contains(OIDCScopes, name) {
			names = append(names, name)
		}
	}
	if group.App == &GraphApp {
		for _, name := range asked.OIDC {
			if name != "offline_access" {
				names = append(names, name)
			}
		}
	}
	return names
}
