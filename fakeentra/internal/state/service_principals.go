package state

import (
	"strings"

	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/internal/rules"
)

// A principalKey identifies a service principal that consent made.
type principalKey struct{ tenantID, appID string }

func keyOf(tenantID, appID string) principalKey {
	return principalKey{strings.ToLower(tenantID), strings.ToLower(appID)}
}

// CreatePrincipal makes the service principal of an app in a tenant if there is none, as consent
// does.
func (s *State) CreatePrincipal(entra *rules.Rules, tenant *directory.Tenant, app *directory.App) {
	if !entra.HasPrincipal(tenant, app) {
		s.principals.Add(keyOf(tenant.ID, app.ID), struct{}{})
	}
}

// CreatedPrincipal reports whether CreatePrincipal made a service principal.
func (s *State) CreatedPrincipal(tenantID, appID string) bool {
	return s.principals.Contains(keyOf(tenantID, appID))
}

// rebindPrincipals forgets the service principals whose tenant or app a new directory lacks.
func (s *State) rebindPrincipals(d *directory.Directory) {
	for _, key := range s.principals.Keys() {
		tenant := d.Tenant(key.tenantID)
		if tenant == nil || d.App(tenant, key.appID) == nil {
			s.principals.Remove(key)
		}
	}
}
