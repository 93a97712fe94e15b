package directory

import "strings"

// GraphAppID is the application ID of Microsoft Graph, the same in every tenant.
const GraphAppID = "00000003-0000-0000-c000-000000000000"

// ConsumersTenantID is the tenant of personal Microsoft accounts. A directory may hold it, and
// consumers then names it.
const ConsumersTenantID = "9188040d-6c67-4c5b-b112-36a304b66dad"

// A Directory is all that a fake knows at its start.
type Directory struct {
	Tenants []Tenant `yaml:"tenants"`
}

// A Tenant is one organization.
type Tenant struct {
	ID          string   `yaml:"id"` // GUID
	DisplayName string   `yaml:"displayName"`
	Domains     []string `yaml:"domains"` // verified domains; the first is the primary one
	Region      string   `yaml:"region"`  // tenant_region_scope of its discovery document, such as "EU"; empty means "WW"
	Apps        []App    `yaml:"apps"`
	Users       []User   `yaml:"users"`
	Groups      []Group  `yaml:"groups"`
	Policies    []Policy `yaml:"policies"`
	// NoUserConsent is the setting that leaves consent to administrators: everybody else meets
	// AADSTS90094.
	NoUserConsent bool `yaml:"noUserConsent"`
}

// Tenant finds a tenant by its ID or one of its domains, without regard to case.
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

// App finds an app that a tenant's people can use: one of the tenant's own, a multi-tenant one of
// another tenant, or for people with personal accounts one that lets them in.
func (d *Directory) App(tenant *Tenant, id string) *App {
	if app := tenant.App(id); app != nil {
		return app
	}
	for i := range d.Tenants {
		app := d.Tenants[i].App(id)
		if app != nil && (tenant.Personal() && app.PersonalAccounts || !tenant.Personal() && app.MultiTenant) {
			return app
		}
	}
	return nil
}

// Personal reports whether this is the tenant of personal Microsoft accounts.
func (t *Tenant) Personal() bool { return strings.EqualFold(t.ID, ConsumersTenantID) }

// App finds an app of the tenant by its application ID.
func (t *Tenant) App(id string) *App {
	for i := range t.Apps {
		if strings.EqualFold(t.Apps[i].ID, id) {
			return &t.Apps[i]
		}
	}
	return nil
}

// Resource finds the app that a scope's left side or a resource parameter names: an identifier URI,
// character by character, or an application ID.
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

// GroupsOf are the groups that a user is a member of.
func (t *Tenant) GroupsOf(userID string) []*Group {
	var found []*Group
	for i := range t.Groups {
		for _, member := range t.Groups[i].Members {
			if strings.EqualFold(member, userID) {
				found = append(found, &t.Groups[i])
				break
			}
		}
	}
	return found
}

// A Policy is a Conditional Access policy: what has to be true before certain people get a token
// for certain apps.
type Policy struct {
	Name string `yaml:"name"`
	// Users are object IDs of users or groups; empty means everybody.
	Users []string `yaml:"users"`
	// Apps are application IDs of resources; empty means all.
	Apps    []string    `yaml:"apps"`
	Require Requirement `yaml:"require"`
}

// A Requirement is what a policy asks for.
type Requirement string

// The requirements, and what a program hears that does not meet them.
const (
	RequireMFA             Requirement = "mfa"              // AADSTS50076; a person at the page confirms and goes on
	RequireCompliantDevice Requirement = "compliant device" // AADSTS53000
	RequireNothingWorks    Requirement = "block"            // AADSTS53003
)

// Applies reports whether a policy is about a user and a resource.
func (p *Policy) Applies(tenant *Tenant, user *User, resourceID string) bool {
	named := func(list []string, id string) bool {
		for _, one := range list {
			if strings.EqualFold(one, id) {
				return true
			}
		}
		return false
	}
	if len(p.Apps) > 0 && !named(p.Apps, resourceID) {
		return false
	}
	if len(p.Users) == 0 || named(p.Users, user.ID) {
		return true
	}
	for _, group := range tenant.GroupsOf(user.ID) {
		if named(p.Users, group.ID) {
			return true
		}
	}
	return false
}
