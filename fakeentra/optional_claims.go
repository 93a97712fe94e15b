package fakeentra

import (
	"encoding/base64"
	"fmt"
	"time"

	"mcpentra/fakeentra/directory"
)

// How many groups fit into a token before it points elsewhere. Of the authorization endpoint's tokens Microsoft says both
// "six" and "six or more" (M).
const (
	maxGroups         = 200
	maxImplicitGroups = 5
)

// about adds what the registration of an app wants to know of a person: roles, groups, optional claims.
func (f *Fake) about(claims map[string]any, d *delegation, app *directory.App, optional []string) {
	if roles, _ := app.RolesOf(principals(d.tenant, d.user)...); len(roles) > 0 {
		claims["roles"] = roles
	}
	if d.user.HomeTenant != "" {
		claims["idp"] = f.sts(d.user.HomeTenant)
	}
	switch app.GroupMembershipClaims {
	case "SecurityGroup", "ApplicationGroup", "All":
		f.addGroups(claims, d, app)
	}
	switch app.GroupMembershipClaims {
	case "DirectoryRole", "All":
		claims["wids"] = roleTemplates(d.user)
	}
	for _, name := range optional {
		switch name {
		case "acct":
			claims[name] = account(d.user)
		case "auth_time":
			claims[name] = d.signedIn.Unix()
		case "email":
			setKnown(claims, name, d.user.Mail)
		case "family_name":
			setKnown(claims, name, d.user.Surname)
		case "given_name":
			setKnown(claims, name, d.user.GivenName)
		case "idtyp":
			claims[name] = "user"
		case "ipaddr":
			claims[name] = "127.0.0.1"
		case "login_hint":
			claims[name] = "O." + base64.RawURLEncoding.EncodeToString([]byte(d.user.UserPrincipalName))
		case "sid":
			claims[name] = d.sid
		case "tenant_region_scope":
			claims[name] = regionOf(d.tenant)
		case "upn":
			claims[name] = d.user.UserPrincipalName
		}
	}
}

// addGroups adds the groups of a person: all, or those that are assigned to the app.
func (f *Fake) addGroups(claims map[string]any, d *delegation, app *directory.App) {
	ids := []string{}
	for _, group := range d.tenant.GroupsOf(d.user.ID) {
		if _, assigned := app.RolesOf(group.ID); assigned || app.GroupMembershipClaims != "ApplicationGroup" {
			ids = append(ids, group.ID)
		}
	}
	switch {
	case len(ids) == 0:
	case d.hybrid && len(ids) > maxImplicitGroups:
		claims["hasgroups"] = true
	case len(ids) > maxGroups:
		claims["_claim_names"] = map[string]string{"groups": "src1"}
		claims["_claim_sources"] = map[string]any{"src1": map[string]string{
			"endpoint": fmt.Sprintf("https://%s/%s/users/%s/getMemberObjects", f.cloud.oldGraph, d.tenant.ID, d.user.ID),
		}}
	default:
		claims["groups"] = ids
	}
}

// roleTemplates are the directory roles of a person, by the IDs that they have everywhere: Global Administrator, and the
// one that every member of a tenant has.
func roleTemplates(user *directory.User) []string {
	roles := []string{}
	if user.Admin {
		roles = append(roles, "62e90394-69f5-4237-9190-012177145e10")
	}
	if user.HomeTenant == "" {
		roles = append(roles, "b79fbf4d-3ef9-4689-8143-76b194e85509")
	}
	return roles
}

// addGraphsOwn adds what a recorded token for Graph has besides. Nobody but Graph may read it, and nothing here means
// anything.
func (f *Fake) addGraphsOwn(claims map[string]any) {
	claims["platf"], claims["puid"] = "8", fmt.Sprintf("%X", f.random(8))
	claims["xms_tcdt"] = f.now().AddDate(-1, 0, 0).Unix()
	claims["xms_pftexp"] = f.now().Add(24 * time.Hour).Unix()
	for _, name := range []string{"xms_acd", "xms_tdbr", "xms_act_fct", "xms_sub_fct", "xms_tnt_fct"} {
		claims[name] = base64.RawURLEncoding.EncodeToString(f.random(4))
	}
}

// account is the claim acct: 0 for a member, 1 for a guest.
func account(user *directory.User) int {
	if user.HomeTenant != "" {
		return 1
	}
	return 0
}

func regionOf(tenant *directory.Tenant) string {
	if tenant.Region == "" {
		return "WW"
	}
	return tenant.Region
}
