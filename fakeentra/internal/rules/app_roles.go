package rules

import (
	"slices"
	"strings"

	"mcpentra/fakeentra/directory"
)

// AppRoles returns the roles of a client at an API, from its assignments and its application
// permissions. Assigned reports whether there is any, with or without a role.
func (r *Rules) AppRoles(tenant *directory.Tenant, client, api *directory.App) (roles []string, assigned bool) {
	roles, assigned = api.RolesOf(r.PrincipalOf(tenant, client))
	for _, permission := range client.ApplicationPermissions {
		resource := &GraphApp
		name := permission
		if cut := strings.LastIndexByte(permission, '/'); cut >= 0 {
			resource = r.FindResource(tenant, permission[:cut])
			name = permission[cut+1:]
		}
		if resource != api {
			continue
		}
		if role := r.Directory.RoleOf(api, name); role != nil && !slices.Contains(roles, role.Value) {
			roles = append(roles, role.Value)
			assigned = true
		}
	}
	return roles, assigned
}
