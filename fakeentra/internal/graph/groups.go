package graph

import (
	"strings"

	"mcpentra/fakeentra/directory"
)

// groupEntity returns a security group.
func groupEntity(group *directory.Group) entity {
	nickname := strings.Map(func(r rune) rune {
		if r == ' ' {
			return -1
		}
		return r
	}, group.DisplayName)
	return entity{kindGroup, []property{
		text("id", group.ID),
		text("deletedDateTime", ""),
		text("classification", ""),
		text("description", group.Description),
		text("displayName", group.DisplayName),
		list("groupTypes", nil),
		text("mail", ""),
		flag("mailEnabled", false),
		text("mailNickname", nickname),
		flag("securityEnabled", true),
		text("visibility", ""),
	}}
}

// groups is the collection of all groups.
func (c *call) groups() (*collection, []entity) {
	set := &collection{context: "groups", samples: []entity{groupEntity(&directory.Group{})}}
	var all []entity
	for i := range c.caller.Tenant.Groups {
		all = append(all, groupEntity(&c.caller.Tenant.Groups[i]))
	}
	return set, all
}

func (c *call) listGroups() { c.list(c.groups()) }

func (c *call) countGroups() { c.count(c.groups()) }

func (c *call) getGroup() { c.one("groups", groupEntity(c.group)) }

// references is a collection of people and groups.
func references() *collection {
	return &collection{
		context:    "directoryObjects",
		samples:    []entity{userEntity(&directory.User{}), groupEntity(&directory.Group{})},
		references: true,
	}
}

// members is the collection of a group's members. The path says whether the members of its groups
// belong to it.
func (c *call) members() (*collection, []entity) {
	tenant := c.caller.Tenant
	groups := []*directory.Group{c.group}
	if strings.Contains(c.r.URL.Path, "/transitiveMembers") {
		groups = append(groups, tenant.GroupsIn(c.group.ID)...)
	}
	var all []entity
	seen := map[string]bool{}
	for _, group := range groups {
		for _, id := range group.Members {
			if id = strings.ToLower(id); seen[id] {
				continue
			}
			seen[id] = true
			if e := c.objectOf(id); e != nil {
				all = append(all, *e)
			}
		}
	}
	return references(), all
}

func (c *call) listMembers() { c.list(c.members()) }

func (c *call) countMembers() { c.count(c.members()) }

// objectOf returns the person or the group with an object ID, or nil.
func (c *call) objectOf(id string) *entity {
	if !directory.IsGUID(id) {
		return nil
	}
	var found entity
	if user := c.caller.Tenant.User(id); user != nil {
		found = c.visibleUser(user)
	} else if group := c.caller.Tenant.Group(id); group != nil {
		found = groupEntity(group)
	} else {
		return nil
	}
	return &found
}
