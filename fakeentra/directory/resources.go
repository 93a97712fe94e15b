package directory

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// MicrosoftAPI finds an API of Microsoft that the directory declares, by its application ID or an
// identifier URI. A slash after the URI makes no difference, like at Entra ID.
func (d *Directory) MicrosoftAPI(identifier string) *App {
	for i := range d.Resources {
		api := &d.Resources[i]
		isURI := slices.Contains(api.IdentifierURIs, strings.TrimSuffix(identifier, "/"))
		if api.ID != GraphAppID && (isURI || strings.EqualFold(api.ID, identifier)) {
			return api
		}
	}
	return nil
}

// ScopeOf finds a delegated permission of an API. It knows the permissions of Microsoft Graph that
// the directory declares.
func (d *Directory) ScopeOf(api *App, name string) *Scope {
	if scope := api.ScopeNamed(name); scope != nil || api.ID != GraphAppID {
		return scope
	}
	for i := range d.Resources {
		if d.Resources[i].ID == GraphAppID {
			return scopeIn(d.Resources[i].Scopes, name)
		}
	}
	return nil
}

// RoleOf finds an application permission of an API, like ScopeOf.
func (d *Directory) RoleOf(api *App, value string) *Role {
	if role := api.RoleNamed(value); role != nil || api.ID != GraphAppID {
		return role
	}
	for i := range d.Resources {
		if d.Resources[i].ID == GraphAppID {
			return roleIn(d.Resources[i].Roles, value)
		}
	}
	return nil
}

// scopeIn finds a scope in a list. It ignores case.
func scopeIn(scopes []Scope, name string) *Scope {
	for i := range scopes {
		if strings.EqualFold(scopes[i].Name, name) {
			return &scopes[i]
		}
	}
	return nil
}

// roleIn finds a role in a list. It ignores case.
func roleIn(roles []Role, value string) *Role {
	for i := range roles {
		if strings.EqualFold(roles[i].Value, value) {
			return &roles[i]
		}
	}
	return nil
}

// CheckGraphPageSize refuses a number of entries that a page of Graph cannot have. 0 means the
// default.
func CheckGraphPageSize(n int) error {
	if n < 0 || n > maxGraphPage {
		return fmt.Errorf("want 1 to %d as page size of Graph, got %d", maxGraphPage, n)
	}
	return nil
}

// maxGraphPage bounds the entries of one page at Graph.
const maxGraphPage = 999

// resource checks an API of Microsoft. For Graph it only adds permissions.
func (c *checker) resource(path string, api *App) {
	refuse := func(isWrong bool, key, format string, args ...any) {
		if isWrong {
			c.add(path+"."+key, "directory: resource %q: "+format, append([]any{api.DisplayName}, args...)...)
		}
	}
	isGraph := api.ID == GraphAppID
	refuse(!IsGUID(api.ID) || c.names[strings.ToLower(api.ID)], "id", "want a unique GUID as ID, got %q", api.ID)
	c.names[strings.ToLower(api.ID)] = true
	refuse(isGraph && len(api.IdentifierURIs) > 0, "identifierUris",
		"Microsoft Graph has its identifier URIs; declare only scopes and roles")
	refuse(!isGraph && len(api.IdentifierURIs) == 0, "identifierUris",
		"want an identifier URI, such as https://management.azure.com")
	for i, uri := range api.IdentifierURIs {
		parsed, err := url.Parse(uri)
		isURI := err == nil && parsed.Scheme != "" && !strings.HasSuffix(uri, "/")
		refuse(!isURI, fmt.Sprintf("identifierUris[%d]", i),
			"want an absolute URI without a slash at its end, got %q", uri)
	}
	for i, scope := range api.Scopes {
		refuse(isGraph && api.ScopeNamed(scope.Name) != nil, fmt.Sprintf("scopes[%d]", i),
			"Microsoft Graph has the permission %q already; remove it here", scope.Name)
	}
	for i, role := range api.Roles {
		refuse(isGraph && api.RoleNamed(role.Value) != nil, fmt.Sprintf("roles[%d]", i),
			"Microsoft Graph has the role %q already; remove it here", role.Value)
	}
	refuse(len(api.RedirectURIs()) > 0 || len(api.Secrets) > 0, "web",
		"want an API without redirect URIs and secrets; a client belongs to a tenant's apps")
}
