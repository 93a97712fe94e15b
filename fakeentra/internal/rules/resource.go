package rules

import (
	"slices"
	"strings"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
)

// ResourcesOf returns the apps that the names in a scope parameter belong to. It does not look the
// names up. The OpenID Connect scopes name no app.
func (r *Rules) ResourcesOf(tenant *directory.Tenant, scope string) ([]*directory.App, *aadsts.Error) {
	var apps []*directory.App
	for _, word := range strings.Fields(scope) {
		if slices.Contains(OIDCScopes, strings.ToLower(word)) {
			continue
		}
		app := &GraphApp
		if cut := strings.LastIndexByte(word, '/'); cut >= 0 {
			app = r.anyResource(tenant, word[:cut]) // Resolve looks for its service principal
			if app == nil {
				return nil, aadsts.ResourceNotFound(strings.Clone(word[:cut]), tenant.ID)
			}
		}
		if !slices.Contains(apps, app) {
			apps = append(apps, app)
		}
	}
	return apps, nil
}

// MatchesResource checks the parameter resource (RFC 8707) by Entra ID's rule of 2026. It must
// equal an identifier URI of the app that owns the scopes, character by character. Without apps
// there are only OpenID Connect scopes, which belong to Graph. The authorization endpoint sends the
// error to the client (M: some clients report a page). An unknown resource is the same error (M).
func (r *Rules) MatchesResource(tenant *directory.Tenant, resource string, apps []*directory.App) *aadsts.Error {
	if len(apps) == 0 {
		apps = []*directory.App{&GraphApp}
	}
	named := r.anyResource(tenant, resource)
	isAnother := func(app *directory.App) bool { return app != named }
	if named == nil || directory.IsGUID(resource) || slices.ContainsFunc(apps, isAnother) {
		return aadsts.ResourceMismatch()
	}
	return nil
}
