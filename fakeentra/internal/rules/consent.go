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
	for _, scope := range client.Consented {
		if asked, problem := r.Resolve(tenant, client, scope, false); problem == nil {
			granted = append(granted, asked.All()...)
		}
	}
	if len(client.Consented) > 0 {
		for _, name := range OIDCScopes {
			granted = append(granted, ConsentName(&GraphApp, name))
		}
	}
	for i := range tenant.Apps {
		api := &tenant.Apps[i]
		if slices.Contains(api.PreAuthorized, client.ID) {
			for _, scope := range api.Scopes {
				granted = append(granted, ConsentName(api, scope.Name))
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
