package rules

import (
	"strings"

	"mcpentra/fakeentra/directory"
)

// liveIssuer is the claim idp of personal accounts that are guests.
const liveIssuer = "live.com"

// guestMark separates the two parts of a guest's user principal name.
const guestMark = "#EXT#@"

// HomeName returns the name of a guest at home. It comes from a user principal name with #EXT#, or
// else it is the mail address.
func HomeName(user *directory.User) string {
	local, _, found := strings.Cut(user.UserPrincipalName, guestMark)
	if cut := strings.LastIndexByte(local, '_'); found && cut > 0 {
		return local[:cut] + "@" + local[cut+1:]
	}
	if user.Mail != "" {
		return user.Mail
	}
	return user.UserPrincipalName
}

// SetV1Names sets the names of a person in a v1 token. Guests have no upn there. Their unique_name
// and email are the names at home (R 2018-11-02, 2021-03-04, 2023-11-30; M).
func SetV1Names(claims map[string]any, user *directory.User) {
	if user.HomeTenant == "" {
		claims["upn"] = user.UserPrincipalName
		claims["unique_name"] = user.UserPrincipalName
		return
	}
	home := HomeName(user)
	claims["email"] = home
	claims["unique_name"] = home
	if isPersonalGuest(user) {
		claims["unique_name"] = liveIssuer + "#" + home
	}
}

// SetHomeIssuer sets the claim idp of a guest.
func (r *Rules) SetHomeIssuer(claims map[string]any, user *directory.User) {
	switch {
	case user.HomeTenant == "":
	case isPersonalGuest(user):
		claims["idp"] = liveIssuer
	default:
		claims["idp"] = r.V1Issuer(user.HomeTenant)
	}
}

func isPersonalGuest(user *directory.User) bool {
	return strings.EqualFold(user.HomeTenant, directory.ConsumersTenantID)
}

// guestName returns the user principal name of a guest, such as foo_home.com#EXT#@resource.com.
func guestName(tenant *directory.Tenant, user *directory.User) string {
	if strings.Contains(user.UserPrincipalName, guestMark) {
		return user.UserPrincipalName
	}
	return strings.ReplaceAll(HomeName(user), "@", "_") + guestMark + tenant.PrimaryDomain()
}
