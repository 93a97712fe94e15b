package directory

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// GraphAppID is the application ID of Microsoft Graph, the same in every tenant.
const GraphAppID = "00000003-0000-0000-c000-000000000000"

// A Directory is all that a fake knows at its start.
type Directory struct {
	Tenants []Tenant
}

// A Tenant is one organization.
type Tenant struct {
	ID          string // GUID
	DisplayName string
	Domains     []string // verified domains; the first is the primary one
	Region      string   // tenant_region_scope of its discovery document, such as "EU"; empty means "WW"
	Apps        []App
	Users       []User
}

// An App is an app registration together with its service principal in the tenant.
type App struct {
	ID          string // application (client) ID, a GUID
	ObjectID    string // of the service principal; app-only tokens name it as oid and sub
	DisplayName string

	// Redirect URIs by platform. The platform of the one that is used decides how a client authenticates.
	Web, SPA, PublicClient []string
	// AllowPublicFlows is the switch "Allow public client flows": flows without a redirect URI then need no credential.
	AllowPublicFlows bool
	// Secrets are the client secrets, in clear.
	Secrets []string

	// IdentifierURIs are the application ID URIs, such as api://GUID. None may end in a slash.
	IdentifierURIs []string
	// Scopes are the delegated permissions that the app exposes as an API.
	Scopes []Scope

	// Consented are the permissions that an administrator has granted for everybody, as a client asks for them
	// ("User.Read", "api://…/tool.read").
	Consented []string
}

// A Scope is a delegated permission that an API exposes.
type Scope struct {
	Name        string // such as tool.read
	DisplayName string // what a person is asked to consent to
}

// A User is an account of the tenant.
type User struct {
	ID                string // object ID, a GUID
	UserPrincipalName string
	DisplayName       string
	GivenName         string
	Surname           string
	Mail              string
	JobTitle          string
	OfficeLocation    string
	PreferredLanguage string
	BusinessPhones    []string
	MobilePhone       string
	// Password is asked for at sign-in when it is not empty.
	Password string
	Disabled bool
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

// App finds an app by its application ID.
func (t *Tenant) App(id string) *App {
	for i := range t.Apps {
		if strings.EqualFold(t.Apps[i].ID, id) {
			return &t.Apps[i]
		}
	}
	return nil
}

// Resource finds the app that a scope's left side or a resource parameter names: an identifier URI, character by
// character, or an application ID.
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

// ScopeNamed finds an exposed scope without regard to case, as Entra does.
func (a *App) ScopeNamed(name string) *Scope {
	for i := range a.Scopes {
		if strings.EqualFold(a.Scopes[i].Name, name) {
			return &a.Scopes[i]
		}
	}
	return nil
}

// Check says what is wrong with a directory: what Entra would not let anybody register.
func (d *Directory) Check() error {
	var wrong []error
	add := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf("directory: "+format, args...)) }
	if len(d.Tenants) == 0 {
		add("want at least one tenant")
	}
	names := map[string]bool{}
	for _, tenant := range d.Tenants {
		if !IsGUID(tenant.ID) {
			add("tenant %q: want a GUID as ID", tenant.ID)
		}
		for _, name := range append([]string{tenant.ID}, tenant.Domains...) {
			if name = strings.ToLower(name); names[name] {
				add("tenant %q: %s is taken", tenant.ID, name)
			}
			names[name] = true
		}
		ids := map[string]bool{}
		for _, app := range tenant.Apps {
			if !IsGUID(app.ID) || ids[strings.ToLower(app.ID)] {
				add("app %q: want a GUID of its own as ID, got %q", app.DisplayName, app.ID)
			}
			ids[strings.ToLower(app.ID)] = true
			for _, uri := range app.IdentifierURIs {
				if strings.HasSuffix(uri, "/") {
					add("app %q: identifier URI %q may not end in a slash", app.DisplayName, uri)
				}
			}
			for _, uri := range app.RedirectURIs() {
				if parsed, err := url.Parse(uri); err != nil || parsed.Scheme == "" || parsed.Fragment != "" {
					add("app %q: redirect URI %q is not an absolute URI without a fragment", app.DisplayName, uri)
				}
			}
		}
		for _, user := range tenant.Users {
			if !IsGUID(user.ID) || ids[strings.ToLower(user.ID)] {
				add("user %q: want a GUID of its own as ID, got %q", user.UserPrincipalName, user.ID)
			}
			ids[strings.ToLower(user.ID)] = true
			if !strings.Contains(user.UserPrincipalName, "@") {
				add("user %q: want a user principal name like name@domain", user.UserPrincipalName)
			}
		}
	}
	return errors.Join(wrong...)
}

// RedirectURIs are the app's redirect URIs of all platforms.
func (a *App) RedirectURIs() []string {
	return append(append(append([]string(nil), a.Web...), a.SPA...), a.PublicClient...)
}

// IsGUID reports whether s is written as a GUID, xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx.
func IsGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range []byte(s) {
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case c >= '0' && c <= '9', c >= 'a' && c <= 'f', c >= 'A' && c <= 'F':
		default:
			return false
		}
	}
	return true
}
