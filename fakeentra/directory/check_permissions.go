package directory

import (
	"fmt"
	"slices"
	"strings"
)

// graphIdentifiers are the identifiers of Microsoft Graph in permissions, without a slash at the
// end. A bare name is a permission of Graph, too.
var graphIdentifiers = []string{
	"",
	GraphAppID,
	"https://graph.microsoft.com",
	"https://graph.microsoft.us",
	"https://dod-graph.microsoft.us",
	"https://microsoftgraph.chinacloudapi.cn",
}

// permissions checks that the permissions in a registration exist. It accepts the permissions of
// an API that the directory lacks, because Entra ID looks for the API only later.
func (a *appChecker) permissions() {
	d := a.directory
	for key, names := range map[string][]string{"permissions": a.app.Permissions, "consented": a.app.Consented} {
		for i, permission := range names {
			api, name := d.splitPermission(permission)
			isKnown := api == nil || name == ".default" || d.ScopeOf(api, name) != nil
			a.refuse(!isKnown, fmt.Sprintf("%s[%d]", key, i), "%s has no delegated permission %q; %s",
				api.title(), name, api.whereToDeclare("scopes"))
		}
	}
	for i, permission := range a.app.ApplicationPermissions {
		api, name := d.splitPermission(permission)
		isKnown := api == nil || d.RoleOf(api, name) != nil
		a.refuse(!isKnown, fmt.Sprintf("applicationPermissions[%d]", i), "%s has no application permission %q; %s",
			api.title(), name, api.whereToDeclare("roles"))
	}
}

// splitPermission returns the API and the name of a permission that is written as a scope. The API
// is nil if the directory does not have it.
func (d *Directory) splitPermission(permission string) (*App, string) {
	cut := strings.LastIndexByte(permission, '/')
	name := permission[cut+1:]
	identifier := permission[:max(cut, 0)]
	if slices.Contains(graphIdentifiers, strings.TrimSuffix(identifier, "/")) {
		return &App{ID: GraphAppID}, name
	}
	if api := d.MicrosoftAPI(identifier); api != nil {
		return api, name
	}
	for i := range d.Tenants {
		if api := d.Tenants[i].Resource(identifier); api != nil {
			return api, name
		}
	}
	return nil, name
}

// title returns the name of an API in messages.
func (a *App) title() string {
	switch {
	case a == nil:
		return ""
	case a.ID == GraphAppID:
		return "Microsoft Graph"
	}
	return fmt.Sprintf("the API %q", a.DisplayName)
}

// whereToDeclare says how to add a permission that is missing, under a key.
func (a *App) whereToDeclare(key string) string {
	if a != nil && a.ID == GraphAppID {
		return "correct its name, or declare it: a resource with id " + GraphAppID + " and the key " + key
	}
	return "correct its name, or declare it under the key " + key + " of the API"
}
