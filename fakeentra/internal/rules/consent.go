package rules

import (
	"slices"
	"strings"

	"mcpentra/fakeentra/directory"
)

// NeedsAdmin reports whether only an administrator can give this consent.
func NeedsAdmin(tenant *directory.Tenant, user *directory.User, asked *Permissions) bool {
	if user.Admin {
		return false
	}
	if tenant.NoUserConsent {
		return true
	}
	for _, group := range asked.Groups {
		for _, name := range group.Names {
			if scope := group.App.ScopeNamed(name); scope != nil && scope.AdminOnly {
				return true
			}
		}
	}
	return false
}

// Consented are the permissions that the directory itself gives a client: what an administrator
// consented to for all, and what an API grants the clients that it knows.
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

// Granted are the names of one resource's permissions that a token carries: those asked for now and
// those consented to earlier. Graph's include the OpenID Connect names, those of other resources do
// not, and none includes offline_access (M).
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
