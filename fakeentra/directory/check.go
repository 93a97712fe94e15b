package directory

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

// Check says what is wrong with a directory: what Entra would not let anybody register.
func (d *Directory) Check() error {
	var wrong []error
	for _, one := range d.problems() {
		wrong = append(wrong, one.err)
	}
	return errors.Join(wrong...)
}

// A problem is something wrong, and where: a path such as tenants[0].apps[1].web[0].
type problem struct {
	path string
	err  error
}

func (d *Directory) problems() []problem {
	c := &checking{names: map[string]bool{}}
	if len(d.Tenants) == 0 {
		c.add("tenants", "directory: want at least one tenant")
	}
	for i := range d.Tenants {
		c.tenant(fmt.Sprintf("tenants[%d]", i), &d.Tenants[i])
	}
	return c.wrong
}

type checking struct {
	names map[string]bool // of tenants
	ids   map[string]bool // of one tenant's apps, users and groups
	wrong []problem
}

func (c *checking) add(path, format string, args ...any) {
	c.wrong = append(c.wrong, problem{path, fmt.Errorf(format, args...)})
}

// id takes a GUID that has to be the only one of its tenant.
func (c *checking) id(path, kind, name, id string) {
	if !IsGUID(id) || c.ids[strings.ToLower(id)] {
		c.add(path+".id", "directory: %s %q: want a GUID of its own as ID, got %q", kind, name, id)
	}
	c.ids[strings.ToLower(id)] = true
}

func (c *checking) tenant(path string, tenant *Tenant) {
	if !IsGUID(tenant.ID) {
		c.add(path+".id", "directory: tenant %q: want a GUID as ID", tenant.ID)
	}
	for i, name := range append([]string{tenant.ID}, tenant.Domains...) {
		if name = strings.ToLower(name); c.names[name] {
			c.add(fmt.Sprintf("%s.domains[%d]", path, i-1), "directory: tenant %q: %s is taken", tenant.ID, name)
		}
		c.names[name] = true
	}
	c.ids = map[string]bool{}
	for i := range tenant.Apps {
		c.app(fmt.Sprintf("%s.apps[%d]", path, i), tenant, &tenant.Apps[i])
	}
	for i, user := range tenant.Users {
		path := fmt.Sprintf("%s.users[%d]", path, i)
		c.id(path, "user", user.UserPrincipalName, user.ID)
		if !strings.Contains(user.UserPrincipalName, "@") {
			c.add(
				path+".userPrincipalName",
				"directory: user %q: want a user principal name like name@domain",
				user.UserPrincipalName,
			)
		}
		if user.HomeTenant != "" && !IsGUID(user.HomeTenant) {
			c.add(
				path+".homeTenant",
				"directory: user %q: want the ID of the home tenant, got %q",
				user.UserPrincipalName,
				user.HomeTenant,
			)
		}
	}
	for i, group := range tenant.Groups {
		path := fmt.Sprintf("%s.groups[%d]", path, i)
		c.id(path, "group", group.DisplayName, group.ID)
		for j, member := range group.Members {
			if !slices.ContainsFunc(tenant.Users, func(u User) bool { return strings.EqualFold(u.ID, member) }) {
				c.add(
					fmt.Sprintf("%s.members[%d]", path, j),
					"directory: group %q: no user with the object ID %q",
					group.DisplayName,
					member,
				)
			}
		}
	}
	for i, policy := range tenant.Policies {
		if !slices.Contains([]Requirement{RequireMFA, RequireCompliantDevice, RequireNothingWorks}, policy.Require) {
			c.add(
				fmt.Sprintf("%s.policies[%d].require", path, i),
				"directory: policy %q: want mfa, compliant device or block as requirement, got %q",
				policy.Name,
				policy.Require,
			)
		}
	}
}

func (c *checking) app(path string, tenant *Tenant, app *App) {
	c.id(path, "app", app.DisplayName, app.ID)
	wrong := func(where, format string, args ...any) {
		c.add(path+"."+where, "directory: app %q: "+format, append([]any{app.DisplayName}, args...)...)
	}
	if app.ObjectID != "" && !IsGUID(app.ObjectID) {
		wrong("objectId", "want a GUID as object ID, got %q", app.ObjectID)
	}
	for i, uri := range app.IdentifierURIs {
		if err := checkIdentifier(uri, tenant, app); err != nil {
			wrong(fmt.Sprintf("identifierUris[%d]", i), "identifier URI %q %w", uri, err)
		}
	}
	if n := len(app.RedirectURIs()); n > maxRedirectURIs {
		wrong("web", "want at most %d redirect URIs, got %d", maxRedirectURIs, n)
	}
	for _, platform := range []struct {
		name string
		uris []string
	}{{"web", app.Web}, {"spa", app.SPA}, {"publicClient", app.PublicClient}} {
		for i, uri := range platform.uris {
			if err := checkRedirect(uri); err != nil {
				wrong(fmt.Sprintf("%s[%d]", platform.name, i), "redirect URI %q %w", uri, err)
			}
		}
	}
	if app.LogoutURL != "" {
		if parsed, err := url.Parse(app.LogoutURL); err != nil || parsed.Scheme != "https" && parsed.Scheme != "http" {
			wrong("logoutUrl", "logout URL %q is not an http or https URL", app.LogoutURL)
		}
	}
	if app.TokenVersion < 0 || app.TokenVersion > 2 {
		wrong("tokenVersion", "want 1 or 2 as token version, got %d", app.TokenVersion)
	}
	if app.PersonalAccounts && app.TokenVersion != 2 {
		wrong("tokenVersion", "want 2 as token version of an app for personal accounts, got %d", app.TokenVersion)
	}
	if !slices.Contains([]string{
		"",
		"SecurityGroup",
		"ApplicationGroup",
		"DirectoryRole",
		"All",
	}, app.GroupMembershipClaims) {
		wrong(
			"groupMembershipClaims",
			"want SecurityGroup, ApplicationGroup, DirectoryRole or All as group membership claims, got %q",
			app.GroupMembershipClaims,
		)
	}
	for _, claim := range append(slices.Clone(app.OptionalClaims.AccessToken), app.OptionalClaims.IDToken...) {
		if !slices.Contains(knownOptionalClaims, claim) {
			wrong("optionalClaims", "optional claim %q is none of %s", claim, strings.Join(knownOptionalClaims, ", "))
		}
	}
	if _, err := app.ParsedCertificates(); err != nil {
		wrong("certificates", "certificate: %w", err)
	}
	for i, one := range app.FederatedCredentials {
		if one.Issuer == "" || one.Subject == "" {
			wrong(fmt.Sprintf("federatedCredentials[%d]", i), "a federated credential needs an issuer and a subject")
		}
	}
	for i, one := range app.Assignments {
		where := fmt.Sprintf("assignments[%d]", i)
		if !IsGUID(one.Principal) {
			wrong(where+".principal", "assignment: want the object ID of a user, group or app, got %q", one.Principal)
		}
		if one.Role != "" && !slices.ContainsFunc(app.Roles, func(role Role) bool { return role.Value == one.Role }) {
			wrong(where+".role", "assignment: the app has no role %q", one.Role)
		}
	}
}

// checkIdentifier says why Entra ID would not take an identifier URI: one of api or https belongs
// to its tenant by the tenant's ID, the app's, or the name of a verified domain (Microsoft's page
// "Restrictions on identifier URIs"). A host on loopback stands for such a name here.
func checkIdentifier(uri string, tenant *Tenant, app *App) error {
	if strings.HasSuffix(uri, "/") {
		return errors.New("may not end in a slash")
	}
	parsed, err := url.Parse(uri)
	if err != nil || parsed.Scheme == "" {
		return errors.New("is not an absolute URI")
	}
	if !slices.Contains([]string{"api", "http", "https"}, parsed.Scheme) {
		return nil
	}
	host := strings.ToLower(parsed.Hostname())
	for _, part := range append(strings.Split(parsed.Path, "/"), host) {
		if strings.EqualFold(part, tenant.ID) || strings.EqualFold(part, app.ID) {
			return nil
		}
	}
	for _, domain := range append([]string{"localhost"}, tenant.Domains...) {
		if domain = strings.ToLower(domain); host == domain || strings.HasSuffix(host, "."+domain) {
			return nil
		}
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
		return nil
	}
	return errors.New(
		"has to name a domain of the tenant, or hold the ID of the tenant or the app (HostNameNotOnVerifiedDomain)",
	)
}

// What Entra ID takes as redirect URIs (Microsoft's page "Redirect URI (reply URL) outline and
// restrictions").
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
