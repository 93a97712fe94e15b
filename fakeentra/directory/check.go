package directory

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"mcpentra/fakeentra/internal/differences"
)

// Check returns the mistakes in a directory. They are those that Entra ID refuses in a
// registration.
func (d *Directory) Check() error {
	var wrong []error
	for _, problem := range d.problems() {
		wrong = append(wrong, problem.err)
	}
	return errors.Join(wrong...)
}

// A problem is a mistake and its path, such as tenants[0].apps[1].web[0].
type problem struct {
	path string
	err  error
}

func (d *Directory) problems() []problem { return d.inspect().wrong }

// inspect collects the mistakes and the doubts.
func (d *Directory) inspect() *checker {
	c := &checker{directory: d, names: map[string]bool{}}
	if len(d.Tenants) == 0 {
		c.add("tenants", "directory: want at least one tenant")
	}
	for i := range d.Tenants {
		c.tenant(fmt.Sprintf("tenants[%d]", i), &d.Tenants[i])
	}
	if err := CheckGraphPageSize(d.GraphPageSize); err != nil {
		c.add("graphPageSize", "directory: %w", err)
	}
	for i := range d.Resources {
		c.resource(fmt.Sprintf("resources[%d]", i), &d.Resources[i])
	}
	for i, name := range d.Differences {
		if !differences.Known(name) {
			c.add(fmt.Sprintf("differences[%d]", i), "directory: differences: unknown fact %q; want one of %q",
				name, differences.Names())
		}
	}
	return c
}

// A checker collects the problems of a directory.
type checker struct {
	directory *Directory
	names     map[string]bool // IDs and domains of the tenants, and IDs of the resources
	ids       map[string]bool // IDs of one tenant's apps, users and groups
	wrong     []problem
	doubts    []problem

	hasSystemAssigned bool
}

func (c *checker) add(path, format string, args ...any) {
	c.wrong = append(c.wrong, problem{path, fmt.Errorf(format, args...)})
}

// id checks that an ID is a GUID, and unique in its tenant.
func (c *checker) id(path, kind, name, id string) {
	if !IsGUID(id) || c.ids[strings.ToLower(id)] {
		c.add(path+".id", "directory: %s %q: want a unique GUID as ID, got %q", kind, name, id)
	}
	c.ids[strings.ToLower(id)] = true
}

func (c *checker) tenant(path string, tenant *Tenant) {
	if !IsGUID(tenant.ID) {
		c.add(path+".id", "directory: tenant %q: want a GUID as ID", tenant.ID)
	}
	for i, name := range append([]string{tenant.ID}, tenant.Domains...) {
		name = strings.ToLower(name)
		if c.names[name] {
			c.add(fmt.Sprintf("%s.domains[%d]", path, i-1),
				"directory: tenant %q: %s is already in use", tenant.ID, name)
		}
		c.names[name] = true
	}
	c.ids = map[string]bool{}
	for i := range tenant.Apps {
		c.app(fmt.Sprintf("%s.apps[%d]", path, i), tenant, &tenant.Apps[i])
	}
	for i := range tenant.Users {
		c.user(fmt.Sprintf("%s.users[%d]", path, i), &tenant.Users[i])
	}
	for i := range tenant.Groups {
		c.group(fmt.Sprintf("%s.groups[%d]", path, i), tenant, &tenant.Groups[i])
	}
	c.principals(path, tenant)
	c.managedIdentities(path, tenant)
	for i, policy := range tenant.Policies {
		if !slices.Contains([]Requirement{RequireMFA, RequireCompliantDevice, RequireNothingWorks}, policy.Require) {
			c.add(fmt.Sprintf("%s.policies[%d].require", path, i),
				"directory: policy %q: want mfa, compliant device or block as requirement, got %q",
				policy.Name, policy.Require)
		}
	}
}

func (c *checker) user(path string, user *User) {
	c.id(path, "user", user.UserPrincipalName, user.ID)
	if !strings.Contains(user.UserPrincipalName, "@") {
		c.add(path+".userPrincipalName", "directory: user %q: want a user principal name like name@domain",
			user.UserPrincipalName)
	}
	if user.HomeTenant != "" && !IsGUID(user.HomeTenant) {
		c.add(path+".homeTenant", "directory: user %q: want the ID of the home tenant, got %q",
			user.UserPrincipalName, user.HomeTenant)
	}
}

func (c *checker) group(path string, tenant *Tenant, group *Group) {
	c.id(path, "group", group.DisplayName, group.ID)
	for i, member := range group.Members {
		isUser := slices.ContainsFunc(tenant.Users, func(u User) bool { return strings.EqualFold(u.ID, member) })
		if !isUser && (tenant.Group(member) == nil || tenant.Group(member) == group) {
			c.add(fmt.Sprintf("%s.members[%d]", path, i),
				"directory: group %q: no user or group has the name or object ID %q",
				group.DisplayName, member)
		}
	}
}

func (c *checker) app(path string, tenant *Tenant, app *App) {
	c.id(path, "app", app.DisplayName, app.ID)
	a := appChecker{checker: c, path: path, app: app}
	a.values()
	a.uris(tenant)
	a.claims()
	a.credentials()
	a.assignments()
	a.permissions()
}

// An appChecker collects the problems of an app.
type appChecker struct {
	*checker
	path string
	app  *App
}

// refuse adds a problem of a key if it is wrong.
func (a *appChecker) refuse(isWrong bool, key, format string, args ...any) {
	if isWrong {
		a.add(a.path+"."+key, "directory: app %q: "+format, append([]any{a.app.DisplayName}, args...)...)
	}
}

func (a *appChecker) values() {
	app := a.app
	version := app.TokenVersion
	a.refuse(app.ObjectID != "" && !IsGUID(app.ObjectID), "objectId", "want a GUID as object ID, got %q", app.ObjectID)
	a.refuse(version < 0 || version > 2, "tokenVersion", "want 1 or 2 as token version, got %d", version)
	a.refuse(app.PersonalAccounts && version != 2, "tokenVersion",
		"want 2 as token version of an app for personal accounts, got %d", version)
}

func (a *appChecker) uris(tenant *Tenant) {
	for i, uri := range a.app.IdentifierURIs {
		a.identifier(fmt.Sprintf("identifierUris[%d]", i), uri, tenant)
	}
	number := len(a.app.RedirectURIs())
	a.refuse(number > maxRedirectURIs, "web", "want at most %d redirect URIs, got %d", maxRedirectURIs, number)
	for _, platform := range []struct {
		key  string
		uris []string
	}{{"web", a.app.Web}, {"spa", a.app.SPA}, {"publicClient", a.app.PublicClient}} {
		for i, uri := range platform.uris {
			err := checkRedirect(uri)
			a.refuse(err != nil, fmt.Sprintf("%s[%d]", platform.key, i), "redirect URI %q %w", uri, err)
		}
	}
	if a.app.LogoutURL != "" {
		parsed, err := url.Parse(a.app.LogoutURL)
		isWeb := err == nil && (parsed.Scheme == "https" || parsed.Scheme == "http")
		a.refuse(!isWeb, "logoutUrl", "want an http or https URL as logout URL, got %q", a.app.LogoutURL)
	}
}

func (a *appChecker) claims() {
	groups := a.app.GroupMembershipClaims
	known := []string{"", "SecurityGroup", "ApplicationGroup", "DirectoryRole", "All"}
	a.refuse(!slices.Contains(known, groups), "groupMembershipClaims",
		"want SecurityGroup, ApplicationGroup, DirectoryRole or All as group membership claims, got %q", groups)
	a.optionalClaims()
}

func (a *appChecker) credentials() {
	_, err := a.app.ParsedCertificates()
	a.refuse(err != nil, "certificates", "certificate: %w", err)
	for i, credential := range a.app.FederatedCredentials {
		a.refuse(credential.Issuer == "" || credential.Subject == "", fmt.Sprintf("federatedCredentials[%d]", i),
			"a federated credential needs an issuer and a subject")
	}
}

func (a *appChecker) assignments() {
	for i, assignment := range a.app.Assignments {
		key := fmt.Sprintf("assignments[%d]", i)
		a.refuse(!IsGUID(assignment.Principal), key+".principal",
			"assignment: want the name or object ID of a user, group or app, got %q", assignment.Principal)
		isDefined := func(role Role) bool { return role.Value == assignment.Role }
		a.refuse(assignment.Role != "" && !slices.ContainsFunc(a.app.Roles, isDefined), key+".role",
			"assignment: the app has no role %q", assignment.Role)
	}
}

// The limits of redirect URIs (Microsoft's page "Redirect URI (reply URL) outline and
// restrictions").
const (
	maxRedirectURIs = 256
	maxRedirectURI  = 256 // characters
)

// checkRedirect returns the reason why Entra ID refuses a redirect URI.
func checkRedirect(uri string) error {
	parsed, err := url.Parse(uri)
	host := ""
	if err == nil {
		host = parsed.Hostname()
	}
	switch {
	case err != nil, parsed.Scheme == "", parsed.Fragment != "":
		return errors.New("must be an absolute URI without a fragment")
	case len(uri) > maxRedirectURI:
		return fmt.Errorf("must have at most %d characters", maxRedirectURI)
	case strings.ContainsAny(uri, "!$'(),;"):
		return errors.New("must not contain any of the characters ! $ ' ( ) , ;")
	case host == "::1":
		return errors.New("must not use [::1]; Entra ID accepts localhost and 127.0.0.1")
	case parsed.Scheme == "http" && host != "localhost" && host != "127.0.0.1":
		return errors.New("must use https, unless its host is localhost or 127.0.0.1")
	}
	return nil
}

// IsGUID reports whether s has the form of a GUID, xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx.
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
