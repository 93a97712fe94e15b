package directory

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Check says what is wrong with a directory: what Entra would not let anybody register.
func (d *Directory) Check() error {
	c := &checking{directory: d, names: map[string]bool{}}
	if len(d.Tenants) == 0 {
		c.add("directory: want at least one tenant")
	}
	for i := range d.Tenants {
		c.tenant(&d.Tenants[i])
	}
	return errors.Join(c.wrong...)
}

type checking struct {
	directory *Directory
	names     map[string]bool // of tenants
	ids       map[string]bool // of one tenant's apps, users and groups
	wrong     []error
}

func (c *checking) add(format string, args ...any) {
	c.wrong = append(c.wrong, fmt.Errorf(format, args...))
}

// id takes a GUID that has to be the only one of its tenant.
func (c *checking) id(kind, name, id string) {
	if !IsGUID(id) || c.ids[strings.ToLower(id)] {
		c.add("directory: %s %q: want a GUID of its own as ID, got %q", kind, name, id)
	}
	c.ids[strings.ToLower(id)] = true
}

func (c *checking) tenant(tenant *Tenant) {
	if !IsGUID(tenant.ID) {
		c.add("directory: tenant %q: want a GUID as ID", tenant.ID)
	}
	for _, name := range append([]string{tenant.ID}, tenant.Domains...) {
		if name = strings.ToLower(name); c.names[name] {
			c.add("directory: tenant %q: %s is taken", tenant.ID, name)
		}
		c.names[name] = true
	}
	c.ids = map[string]bool{}
	for i := range tenant.Apps {
		c.app(&tenant.Apps[i])
	}
	for _, user := range tenant.Users {
		c.id("user", user.UserPrincipalName, user.ID)
		if !strings.Contains(user.UserPrincipalName, "@") {
			c.add("directory: user %q: want a user principal name like name@domain", user.UserPrincipalName)
		}
		if user.HomeTenant != "" && !IsGUID(user.HomeTenant) {
			c.add("directory: user %q: want the ID of the home tenant, got %q", user.UserPrincipalName, user.HomeTenant)
		}
	}
	for _, group := range tenant.Groups {
		c.id("group", group.DisplayName, group.ID)
		for _, member := range group.Members {
			if !slices.ContainsFunc(tenant.Users, func(u User) bool { return strings.EqualFold(u.ID, member) }) {
				c.add("directory: group %q: no user with the object ID %q", group.DisplayName, member)
			}
		}
	}
	for _, policy := range tenant.Policies {
		if !slices.Contains([]Requirement{RequireMFA, RequireCompliantDevice, RequireNothingWorks}, policy.Require) {
			c.add("directory: policy %q: want mfa, compliant device or block as requirement, got %q", policy.Name, policy.Require)
		}
	}
}

func (c *checking) app(app *App) {
	c.id("app", app.DisplayName, app.ID)
	wrong := func(format string, args ...any) {
		c.add("directory: app %q: "+format, append([]any{app.DisplayName}, args...)...)
	}
	if app.ObjectID != "" && !IsGUID(app.ObjectID) {
		wrong("want a GUID as object ID, got %q", app.ObjectID)
	}
	for _, uri := range app.IdentifierURIs {
		if strings.HasSuffix(uri, "/") {
			wrong("identifier URI %q may not end in a slash", uri)
		}
	}
	if n := len(app.RedirectURIs()); n > maxRedirectURIs {
		wrong("want at most %d redirect URIs, got %d", maxRedirectURIs, n)
	}
	for _, uri := range app.RedirectURIs() {
		if err := checkRedirect(uri); err != nil {
			wrong("redirect URI %q %w", uri, err)
		}
	}
	if app.LogoutURL != "" {
		if parsed, err := url.Parse(app.LogoutURL); err != nil || parsed.Scheme != "https" && parsed.Scheme != "http" {
			wrong("logout URL %q is not an http or https URL", app.LogoutURL)
		}
	}
	if app.TokenVersion < 0 || app.TokenVersion > 2 {
		wrong("want 1 or 2 as token version, got %d", app.TokenVersion)
	}
	if app.PersonalAccounts && app.TokenVersion != 2 {
		wrong("want 2 as token version of an app for personal accounts, got %d", app.TokenVersion)
	}
	if !slices.Contains([]string{"", "SecurityGroup", "ApplicationGroup", "DirectoryRole", "All"}, app.GroupMembershipClaims) {
		wrong("want SecurityGroup, ApplicationGroup, DirectoryRole or All as group membership claims, got %q", app.GroupMembershipClaims)
	}
	for _, claim := range append(slices.Clone(app.OptionalClaims.AccessToken), app.OptionalClaims.IDToken...) {
		if !slices.Contains(knownOptionalClaims, claim) {
			wrong("optional claim %q is none of %s", claim, strings.Join(knownOptionalClaims, ", "))
		}
	}
	if _, err := app.ParsedCertificates(); err != nil {
		wrong("certificate: %w", err)
	}
	for _, one := range app.FederatedCredentials {
		if one.Issuer == "" || one.Subject == "" {
			wrong("a federated credential needs an issuer and a subject")
		}
	}
	for _, one := range app.Assignments {
		if !IsGUID(one.Principal) {
			wrong("assignment: want the object ID of a user, group or app, got %q", one.Principal)
		}
		if one.Role != "" && !slices.ContainsFunc(app.Roles, func(role Role) bool { return role.Value == one.Role }) {
			wrong("assignment: the app has no role %q", one.Role)
		}
	}
}

// What Entra ID takes as redirect URIs (Microsoft's page "Redirect URI (reply URL) outline and restrictions").
const (
	maxRedirectURIs = 256
	maxRedirectURI  = 256 // characters
)

func checkRedirect(uri string) error {
	parsed, err := url.Parse(uri)
	host := ""
	if err == nil {
		host = parsed.Hostname()
	}
	switch {
	case err != nil, parsed.Scheme == "", parsed.Fragment != "":
		return errors.New("is not an absolute URI without a fragment")
	case len(uri) > maxRedirectURI:
		return fmt.Errorf("is longer than %d characters", maxRedirectURI)
	case strings.ContainsAny(uri, "!$'(),;"):
		return errors.New("has one of the characters ! $ ' ( ) , ; in it")
	case host == "::1":
		return errors.New("names [::1], which Entra ID does not take")
	case parsed.Scheme == "http" && host != "localhost" && host != "127.0.0.1":
		return errors.New("is plain http for another host than localhost or 127.0.0.1")
	}
	return nil
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
