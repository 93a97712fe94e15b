package graph

import "slices"

// The permissions of each path, from the least one (D: Microsoft's reference of each call; M: the
// order).
var (
	readsOwnProfile = []string{"User.Read", "User.ReadWrite"}
	readsUsers      = []string{
		"User.ReadBasic.All",
		"User.Read.All",
		"User.ReadWrite.All",
		"Directory.Read.All",
		"Directory.ReadWrite.All",
	}
	readsGroups = []string{
		"GroupMember.Read.All",
		"GroupMember.ReadWrite.All",
		"Group.Read.All",
		"Group.ReadWrite.All",
		"Directory.Read.All",
		"Directory.ReadWrite.All",
	}
	readsMemberships = []string{
		"GroupMember.Read.All",
		"Group.Read.All",
		"Group.ReadWrite.All",
		"User.Read.All",
		"User.ReadWrite.All",
		"Directory.Read.All",
		"Directory.ReadWrite.All",
	}
	readsObjects = slices.Concat(
		[]string{"Directory.Read.All", "Directory.ReadWrite.All"},
		readsUsers,
		readsGroups,
	)
	readsOrganization = []string{
		"Organization.Read.All",
		"Organization.ReadWrite.All",
		"Directory.Read.All",
		"Directory.ReadWrite.All",
	}
	readsPhotos   = slices.Concat([]string{"ProfilePhoto.Read.All", "ProfilePhoto.ReadWrite.All"}, readsUsers)
	readsCalendar = []string{"Calendars.Read", "Calendars.ReadWrite"}
	usesSignIn    = []string{"openid"}
)

// profileBasics are the properties that User.ReadBasic.All shows of other people.
var profileBasics = []string{"displayName", "givenName", "mail", "surname", "userPrincipalName", "id"}

// hasAny reports whether the caller has one of the permissions: a scope of a person or a role of an
// app.
func (c *Caller) hasAny(permissions []string) bool {
	held := c.Scopes
	if c.User == nil {
		held = c.Roles
	}
	isHeld := func(permission string) bool { return slices.Contains(held, permission) }
	return slices.ContainsFunc(permissions, isHeld)
}

// seesOnlyBasics reports whether the caller may read only the basic properties of other people.
func (c *Caller) seesOnlyBasics() bool {
	return c.hasAny(readsUsers[:1]) && !c.hasAny(readsUsers[1:])
}
