package rules

import (
	"slices"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
)

// CheckAccess decides whether a client may get the tokens of a delegation. It checks the account,
// the assignments and the policies of Conditional Access.
func CheckAccess(d *Delegation) *aadsts.Error {
	switch {
	case d.User.Disabled:
		return aadsts.UserDisabled()
	case d.User.Locked:
		return aadsts.UserLocked()
	case d.User.PasswordExpired:
		return aadsts.PasswordExpired()
	}
	apps := []*directory.App{d.Client}
	for _, group := range d.Asked.Groups {
		if !slices.Contains(apps, group.App) {
			apps = append(apps, group.App)
		}
	}
	for _, app := range apps {
		if app.AssignmentRequired && !isAssigned(d.Tenant, app, d.User) {
			return aadsts.NotAssigned(app.ID, app.DisplayName, d.User.UserPrincipalName)
		}
		for i := range d.Tenant.Policies {
			policy := &d.Tenant.Policies[i]
			if !policy.Applies(d.Tenant, d.User, app.ID) {
				continue
			}
			switch policy.Require {
			case directory.RequireMFA:
				if !d.SecondFactor {
					return aadsts.MFANeeded(app.ID).Challenged(policyID(policy))
				}
			case directory.RequireCompliantDevice:
				return aadsts.DeviceNotCompliant().Challenged(policyID(policy))
			default:
				return aadsts.Blocked().Challenged(policyID(policy))
			}
		}
	}
	return nil
}

// isAssigned reports whether a user has an assignment to an app, directly or through a group.
func isAssigned(tenant *directory.Tenant, app *directory.App, user *directory.User) bool {
	_, assigned := app.RolesOf(principals(tenant, user)...)
	return assigned
}

// principals returns the object IDs of a user and the user's groups.
func principals(tenant *directory.Tenant, user *directory.User) []string {
	ids := []string{user.ID}
	for _, group := range tenant.GroupsOf(user.ID) {
		ids = append(ids, group.ID)
	}
	return ids
}

// policyID returns the ID of a policy in claims challenges.
func policyID(policy *directory.Policy) string { return GUIDOf("policy", policy.Name) }
