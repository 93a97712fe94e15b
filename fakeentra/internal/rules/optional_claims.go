package rules

import (
	"encoding/base64"
	"fmt"

	"mcpentra/fakeentra/directory"
)

// SetKnown sets a claim unless its value is empty.
func SetKnown(claims map[string]any, name, value string) {
	if value != "" {
		claims[name] = value
	}
}

// The most groups in a token. With more, a token points to Graph. For tokens of the authorization
// endpoint Microsoft says both "six" and "six or more" (M).
const (
	maxGroups         = 200
	maxImplicitGroups = 5
)

// AddOptionalClaims adds the claims that the registration of an app asks for: roles, groups and
// optional claims.
func (r *Rules) AddOptionalClaims(claims map[string]any, d *Delegation, app *directory.App, optional []string) {
	if roles, _ := app.RolesOf(principals(d.Tenant, d.User)...); len(roles) > 0 {
		claims["roles"] = roles
	}
	if d.User.HomeTenant != "" {
		claims["idp"] = r.V1Issuer(d.User.HomeTenant)
	}
	switch app.GroupMembershipClaims {
	case "SecurityGroup", "ApplicationGroup", "All":
		r.addGroups(claims, d, app)
	}
	switch app.GroupMembershipClaims {
	case "DirectoryRole", "All":
		claims["wids"] = RoleTemplates(d.User)
	}
	for _, name := range optional {
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
			claims[name] = "user"
		case "ipaddr":
			claims[name] = "127.0.0.1"
		case "login_hint":
			claims[name] = "O." + base64.RawURLEncoding.EncodeToString([]byte(d.User.UserPrincipalName))
		case "sid":
			claims[name] = d.SID
		case "tenant_region_scope":
			claims[name] = RegionOf(d.Tenant)
		case "upn":
			claims[name] = d.User.UserPrincipalName
		}
	}
}

// addGroups adds the groups of a person: all groups, or those with an assignment to the app.
func (r *Rules) addGroups(claims map[string]any, d *Delegation, app *directory.App) {
	ids := []string{}
	for _, group := range d.Tenant.GroupsOf(d.User.ID) {
		if _, assigned := app.RolesOf(group.ID); assigned || app.GroupMembershipClaims != "ApplicationGroup" {
			ids = append(ids, group.ID)
		}
	}
	switch {
	case len(ids) == 0:
	case d.Hybrid && len(ids) > maxImplicitGroups:
		claims["hasgroups"] = true
	case len(ids) > maxGroups:
		claims["_claim_names"] = map[string]string{"groups": "src1"}
		claims["_claim_sources"] = map[string]any{"src1": map[string]string{
			"endpoint": fmt.Sprintf("https://%s/%s/users/%s/getMemberObjects", r.AzureADGraph, d.Tenant.ID, d.User.ID),
		}}
	default:
		claims["groups"] = ids
	}
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
