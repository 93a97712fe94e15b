package rules

import (
	"fmt"

	"mcpentra/fakeentra/directory"
)

// The most groups in a token. With more, a token points to Graph. For tokens of the authorization
// endpoint Microsoft says both "six" and "six or more" (M).
const (
	maxGroups         = 200
	maxImplicitGroups = 5
)

// addGroups adds the groups of a person: all groups, nested ones included, or those with an
// assignment to the app, which does not count for nested groups. With emit_as_roles they take the
// place of the app roles.
func (r *Rules) addGroups(claims map[string]any, d *Delegation, app *directory.App) {
	values := []string{}
	groups := d.Tenant.AllGroupsOf(d.User.ID)
	if app.GroupMembershipClaims == "ApplicationGroup" {
		groups = d.Tenant.GroupsOf(d.User.ID)
	}
	for _, group := range groups {
		if _, assigned := app.RolesOf(group.ID); assigned || app.GroupMembershipClaims != "ApplicationGroup" {
			values = append(values, groupValue(app, group))
		}
	}
	claim := "groups"
	if app.OptionalClaims.Has("groups", "emit_as_roles") {
		claim = "roles"
		delete(claims, claim)
	}
	switch {
	case len(values) == 0:
	case d.Hybrid && len(values) > maxImplicitGroups:
		claims["hasgroups"] = true
	case len(values) > maxGroups:
		claims["_claim_names"] = map[string]string{"groups": "src1"}
		claims["_claim_sources"] = map[string]any{"src1": map[string]string{
			"endpoint": fmt.Sprintf("%s/%s/users/%s/getMemberObjects", r.AzureADGraph, d.Tenant.ID, d.User.ID),
		}}
	default:
		claims[claim] = values
	}
}

// groupValue returns the name of a group in tokens. It is the object ID, unless a property asks for
// another name and the group has it. Of the names from on-premises directories the first property
// counts.
func groupValue(app *directory.App, group *directory.Group) string {
	for _, property := range app.OptionalClaims.AdditionalProperties["groups"] {
		name := group.OnPremisesSamAccountName
		switch property {
		case "sam_account_name":
		case "dns_domain_and_sam_account_name":
			name = within(group.OnPremisesDomainName, name)
		case "netbios_domain_and_sam_account_name":
			name = within(group.OnPremisesNetBiosName, name)
		default:
			continue
		}
		if name != "" {
			return name
		}
		break
	}
	isCloudOnly := group.OnPremisesSamAccountName == ""
	if isCloudOnly && app.OptionalClaims.Has("groups", "cloud_displayname") {
		return group.DisplayName
	}
	return group.ID
}

// within writes the name of a group with its domain. Without one of them it returns nothing.
func within(domain, name string) string {
	if domain == "" || name == "" {
		return ""
	}
	return domain + `\` + name
}
