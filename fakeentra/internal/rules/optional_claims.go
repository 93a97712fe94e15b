package rules

import (
	"encoding/base64"
	"slices"
	"strings"

	"mcpentra/fakeentra/directory"
)

// SetKnown sets a claim unless its value is empty.
func SetKnown(claims map[string]any, name, value string) {
	if value != "" {
		claims[name] = value
	}
}

// AddOptionalClaims adds the claims that the registration of an app asks for: roles, groups and
// optional claims.
func (r *Rules) AddOptionalClaims(claims map[string]any, d *Delegation, app *directory.App, optional []string) {
	if roles, _ := app.RolesOf(principals(d.Tenant, d.User)...); len(roles) > 0 {
		claims["roles"] = roles
	}
	r.SetHomeIssuer(claims, d.User)
	switch app.GroupMembershipClaims {
	case "SecurityGroup", "ApplicationGroup", "All":
		r.addGroups(claims, d, app)
	}
	switch app.GroupMembershipClaims {
	case "DirectoryRole", "All":
		claims["wids"] = RoleTemplates(d.User)
	}
	for _, name := range optional {
		r.addOptional(claims, d, app, name)
	}
	if domain := domainOf(claims["email"]); domain != "" && slices.Contains(optional, "xms_edov") {
		claims["xms_edov"] = r.ownsDomain(d, domain)
	}
}

// addOptional adds one optional claim.
func (r *Rules) addOptional(claims map[string]any, d *Delegation, app *directory.App, name string) {
	switch name {
	case "acct":
		claims[name] = AccountKind(d.User)
	case "auth_time":
		claims[name] = d.SignedIn.Unix()
	case "email":
		SetKnown(claims, name, d.User.Mail)
	case "family_name":
		SetKnown(claims, name, d.User.Surname)
	case "given_name":
		SetKnown(claims, name, d.User.GivenName)
	case "idtyp":
		if app.OptionalClaims.Has(name, "include_user_token") {
			claims[name] = "user"
		}
	case "ipaddr":
		claims[name] = "127.0.0.1"
	case "login_hint":
		claims[name] = "O." + base64.RawURLEncoding.EncodeToString([]byte(d.User.UserPrincipalName))
	case "sid":
		claims[name] = d.SID
	case "tenant_region_scope":
		claims[name] = RegionOf(d.Tenant)
	case "upn":
		SetKnown(claims, name, optionalUPN(d, app))
	case "verified_primary_email":
		setList(claims, name, d.User.PrimaryAuthoritativeEmail)
	case "verified_secondary_email":
		setList(claims, name, d.User.SecondaryAuthoritativeEmail)
	}
}

// setList sets a claim unless its list is empty.
func setList(claims map[string]any, name string, values []string) {
	if len(values) > 0 {
		claims[name] = values
	}
}

// optionalUPN returns the optional claim upn. Guests have it only with a property.
func optionalUPN(d *Delegation, app *directory.App) string {
	switch {
	case d.User.HomeTenant == "":
		return d.User.UserPrincipalName
	case app.OptionalClaims.Has("upn", "include_externally_authenticated_upn"):
		return guestName(d.Tenant, d.User)
	case app.OptionalClaims.Has("upn", "include_externally_authenticated_upn_without_hash"):
		return strings.ReplaceAll(guestName(d.Tenant, d.User), "#", "_")
	}
	return ""
}

// domainOf returns the domain of a claim with a mail address, or nothing.
func domainOf(email any) string {
	address, _ := email.(string)
	_, domain, _ := strings.Cut(address, "@")
	return domain
}

// ownsDomain reports whether the home of a person has verified a domain. Personal accounts always
// count as verified (D).
func (r *Rules) ownsDomain(d *Delegation, domain string) bool {
	home := d.Tenant
	if d.User.HomeTenant != "" {
		home = r.Directory.Tenant(d.User.HomeTenant)
	}
	switch {
	case isPersonalGuest(d.User) || d.Tenant.Personal():
		return true
	case home == nil:
		return false
	}
	isIt := func(other string) bool { return strings.EqualFold(other, domain) }
	return slices.ContainsFunc(home.Domains, isIt)
}

// RoleTemplates returns the directory roles of a person: Global Administrator, and the role of
// every member. Their IDs are the same in every tenant.
func RoleTemplates(user *directory.User) []string {
	roles := []string{}
	if user.Admin {
		roles = append(roles, "62e90394-69f5-4237-9190-012177145e10")
	}
	if user.HomeTenant == "" {
		roles = append(roles, "b79fbf4d-3ef9-4689-8143-76b194e85509")
	}
	return roles
}

// AccountKind returns the claim acct: 0 for a member, 1 for a guest.
func AccountKind(user *directory.User) int {
	if user.HomeTenant != "" {
		return 1
	}
	return 0
}

// RegionOf returns tenant_region_scope of a tenant.
func RegionOf(tenant *directory.Tenant) string {
	if tenant.Region == "" {
		return "WW"
	}
	return tenant.Region
}
