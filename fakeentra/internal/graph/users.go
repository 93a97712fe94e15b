package graph

import (
	"net/http"
	"slices"
	"strings"

	"mcpentra/fakeentra/directory"
)

// userEntity returns a person. The first properties are those that Graph returns without $select.
func userEntity(user *directory.User) entity {
	userType := "Member"
	if user.HomeTenant != "" {
		userType = "Guest"
	}
	nickname, _, _ := strings.Cut(user.UserPrincipalName, "@")
	return entity{kindUser, []property{
		list("businessPhones", user.BusinessPhones),
		text("displayName", user.DisplayName),
		text("givenName", user.GivenName),
		text("jobTitle", user.JobTitle),
		text("mail", user.Mail),
		text("mobilePhone", user.MobilePhone),
		text("officeLocation", user.OfficeLocation),
		text("preferredLanguage", user.PreferredLanguage),
		text("surname", user.Surname),
		text("userPrincipalName", user.UserPrincipalName),
		text("id", user.ID),
		selectable(flag("accountEnabled", !user.Disabled)),
		selectable(text("mailNickname", nickname)),
		selectable(text("userType", userType)),
	}}
}

// users is the collection of all people.
func (c *call) users() (*collection, []entity) {
	set := &collection{context: "users", samples: []entity{userEntity(&directory.User{})}}
	var all []entity
	for i := range c.caller.Tenant.Users {
		all = append(all, c.visibleUser(&c.caller.Tenant.Users[i]))
	}
	return set, all
}

// visibleUser returns what the caller may see of a person.
func (c *call) visibleUser(user *directory.User) entity {
	e := userEntity(user)
	isOwn := c.caller.User != nil && c.caller.User.ID == user.ID
	if !isOwn && c.caller.seesOnlyBasics() {
		e.limit(profileBasics...)
	}
	return e
}

func (c *call) listUsers() { c.list(c.users()) }

func (c *call) countUsers() { c.count(c.users()) }

func (c *call) getUser() { c.one("users", c.visibleUser(c.person)) }

// one answers with one entity of a collection.
func (c *call) one(set string, e entity) {
	values, wrong := c.options("$select")
	if wrong != nil {
		c.failWith(wrong)
		return
	}
	context := set + "/$entity"
	if selected := values.Get("$select"); selected != "" {
		context = set + "(" + selected + ")/$entity"
	}
	c.write(http.StatusOK, slices.Concat(
		object{{"@odata.context", c.context(context)}},
		e.object(names(values.Get("$select")), false),
	))
}
