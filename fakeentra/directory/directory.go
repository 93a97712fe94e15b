package directory

import (
	"slices"
	"strings"
)

// GraphAppID is the application ID of Microsoft Graph, the same in every tenant.
const GraphAppID = "00000003-0000-0000-c000-000000000000"

// ConsumersTenantID is the tenant of personal Microsoft accounts. Its name in paths is consumers. A
// directory may have it.
const ConsumersTenantID = "9188040d-6c67-4c5b-b112-36a304b66dad"

// A Directory is the data that a fake starts with.
type Directory struct {
	Tenants []Tenant `yaml:"tenants"`
	// Resources are APIs of Microsoft beside Graph, such as Azure Resource Manager. Every tenant
	// has them. An entry with the ID of Microsoft Graph adds permissions to Graph.
	Resources []App `yaml:"resources"`
	// GraphPageSize is the number of entries of a page of Graph without $top. 0 means 10.
	GraphPageSize int `yaml:"graphPageSize"`
	// Differences are the facts that this fake breaks, for the tests of fakeentra verify.
	Differences []string `yaml:"differences"`
}

// A Tenant is one organization.
type Tenant struct {
	ID          string   `yaml:"id"` // GUID
	DisplayName string   `yaml:"displayName"`
	Domains     []string `yaml:"domains"` // verified domains; the first is the primary one
	Region      string   `yaml:"region"`  // tenant_region_scope in discovery, such as "EU"; empty means "WW"
	Apps        []App    `yaml:"apps"`
	Users       []User   `yaml:"users"`
	Groups      []Group  `yaml:"groups"`
	Policies    []Policy `yaml:"policies"`
	// ServicePrincipals are the apps of other tenants that this tenant has.
	ServicePrincipals []ServicePrincipal `yaml:"servicePrincipals"`
	// ManagedIdentities are the identities of the machine that the fake runs on.
	ManagedIdentities []ManagedIdentity `yaml:"managedIdentities"`
	// NoUserConsent allows only administrators to consent. Other people get AADSTS90094.
	NoUserConsent bool `yaml:"noUserConsent"`
}

// Tenant finds a tenant by its ID or one of its domains. It ignores case.
func (d *Directory) Tenant(name string) *Tenant {
	for i := range d.Tenants {
		tenant := &d.Tenants[i]
		if strings.EqualFold(tenant.ID, name) {
			return tenant
		}
		for _, domain := range tenant.Domains {
			if strings.EqualFold(domain, name) {
				return tenant
			}
		}
	}
	return nil
}

// HomeOf finds the tenant in which an app is registered.
func (d *Directory) HomeOf(app *App) *Tenant {
	for i := range d.Tenants {
		for j := range d.Tenants[i].Apps {
			if &d.Tenants[i].Apps[j] == app {
				return &d.Tenants[i]
			}
		}
	}
	return nil
}

// App finds an app that a tenant's people can use: an app of the tenant, or an app of another
// tenant that accepts their kind of account. The app need not have a service principal there yet.
func (d *Directory) App(tenant *Tenant, id string) *App {
	if app := tenant.App(id); app != nil {
		return app
	}
	for i := range d.Tenants {
		if app := d.Tenants[i].App(id); app != nil && app.accepts(tenant) {
			return app
		}
	}
	return nil
}

// accepts reports whether an app accepts the accounts of another tenant.
func (a *App) accepts(tenant *Tenant) bool {
	if tenant.Personal() {
		return a.PersonalAccounts
	}
	return a.MultiTenant
}

// Personal reports whether this is the tenant of personal Microsoft accounts.
func (t *Tenant) Personal() bool { return strings.EqualFold(t.ID, ConsumersTenantID) }

// PrimaryDomain returns the first domain of the tenant, or its ID if it has none.
func (t *Tenant) PrimaryDomain() string {
	if len(t.Domains) == 0 {
		return t.ID
	}
	return t.Domains[0]
}

// App finds an app of the tenant by its application ID.
func (t *Tenant) App(id string) *App {
	for i := range t.Apps {
		if strings.EqualFold(t.Apps[i].ID, id) {
			return &t.Apps[i]
		}
	}
	return nil
}

// Resource finds an app by an identifier URI, character by character, or by its application ID.
func (t *Tenant) Resource(identifier string) *App {
	for i := range t.Apps {
		app := &t.Apps[i]
		if strings.EqualFold(app.ID, identifier) {
			return app
		}
		for _, uri := range app.IdentifierURIs {
			if uri == identifier {
				return app
			}
		}
	}
	return nil
}

// User finds a user by object ID or user principal name.
func (t *Tenant) User(name string) *User {
	for i := range t.Users {
		if strings.EqualFold(t.Users[i].UserPrincipalName, name) || strings.EqualFold(t.Users[i].ID, name) {
			return &t.Users[i]
		}
	}
	return nil
}

// A Policy is a Conditional Access policy: a condition for tokens of some users for some apps.
type Policy struct {
	Name string `yaml:"name"`
	// Users are object IDs of users or groups. Empty means all users.
	Users []string `yaml:"users"`
	// Apps are application IDs of resources. Empty means all.
	Apps    []string    `yaml:"apps"`
	Require Requirement `yaml:"require"`
}

// A Requirement is the condition of a policy.
type Requirement string

// The requirements, and the error if one is not met.
const (
	RequireMFA             Requirement = "mfa"              // AADSTS50076; a person can confirm on a page
	RequireCompliantDevice Requirement = "compliant device" // AADSTS53000
	RequireNothingWorks    Requirement = "block"            // AADSTS53003
)

// Applies reports whether a policy covers a user and a resource.
func (p *Policy) Applies(tenant *Tenant, user *User, resourceID string) bool {
	if len(p.Apps) > 0 && !contains(p.Apps, resourceID) {
		return false
	}
	if len(p.Users) == 0 || contains(p.Users, user.ID) {
		return true
	}
	for _, group := range tenant.AllGroupsOf(user.ID) {
		if contains(p.Users, group.ID) {
			return true
		}
	}
	return false
}

// contains reports whether a list has an ID. It ignores case.
func contains(ids []string, id string) bool {
	return slices.ContainsFunc(ids, func(other string) bool { return strings.EqualFold(other, id) })
}
