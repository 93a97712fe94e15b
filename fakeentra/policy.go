package fakeentra

import (
	"slices"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
)

// admits judges whether a person may have tokens for what was asked: assignment, Conditional Access, and the second
// factor that the request itself asks for.
func (f *Fake) admits(request *authorization, person *signedIn, silent bool) *aadsts.Error {
	wishes, _ := readClaimsRequest(request.params.Get("claims"))
	d := &delegation{
		tenant: request.tenant, client: request.client, user: person.user, asked: request.asked, secondFactor: person.secondFactor,
	}
	if problem := f.mayHave(d); problem != nil {
		return problem
	}
	if wishes.secondFactor && !person.secondFactor {
		return aadsts.MFANeeded(request.client.ID)
	}
	return nil
}

// mayHave is admits for a grant that a client already holds.
func (f *Fake) mayHave(d *delegation) *aadsts.Error {
	switch {
	case d.user.Disabled:
		return aadsts.UserDisabled()
	case d.user.Locked:
		return aadsts.UserLocked()
	case d.user.PasswordExpired:
		return aadsts.PasswordExpired()
	}
	apps := []*directory.App{d.client}
	for _, group := range d.asked.groups {
		if !slices.Contains(apps, group.app) {
			apps = append(apps, group.app)
		}
	}
	for _, app := range apps {
		if app.AssignmentRequired && !f.assigned(d.tenant, app, d.user) {
			return aadsts.NotAssigned(app.ID, app.DisplayName, d.user.UserPrincipalName)
		}
		for i := range d.tenant.Policies {
			policy := &d.tenant.Policies[i]
			if !policy.Applies(d.tenant, d.user, app.ID) {
				continue
			}
			switch policy.Require {
			case directory.RequireMFA:
				if !d.secondFactor {
					return aadsts.MFANeeded(app.ID).Challenged(f.policyID(policy))
				}
			case directory.RequireCompliantDevice:
				return aadsts.DeviceNotCompliant().Challenged(f.policyID(policy))
			default:
				return aadsts.Blocked().Challenged(f.policyID(policy))
			}
		}
	}
	return nil
}

func (f *Fake) assigned(tenant *directory.Tenant, app *directory.App, user *directory.User) bool {
	_, assigned := app.RolesOf(principals(tenant, user)...)
	return assigned
}

// principals are the object IDs under which a user can be assigned to something.
func principals(tenant *directory.Tenant, user *directory.User) []string {
	ids := []string{user.ID}
	for _, group := range tenant.GroupsOf(user.ID) {
		ids = append(ids, group.ID)
	}
	return ids
}

// policyID stands for a policy in claims challenges.
func (f *Fake) policyID(policy *directory.Policy) string { return guidOf("policy", policy.Name) }
