package graph

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"mcpentra/fakeentra/directory"
)

const (
	maxBody = 64 << 10 // bytes of an action's body
	// maxGroupIDs and maxObjectIDs are Graph's bounds of checkMemberGroups and getByIds.
	maxGroupIDs  = 20
	maxObjectIDs = 1000
)

// groupsOf returns the groups of the user or group in the path, direct ones or all.
func (c *call) groupsOf(all bool) []*directory.Group {
	id := ""
	if c.group != nil {
		id = c.group.ID
	} else {
		id = c.person.ID
	}
	if all {
		return c.caller.Tenant.AllGroupsOf(id)
	}
	return c.caller.Tenant.GroupsOf(id)
}

// memberOf is the collection of the groups in memberOf or transitiveMemberOf. Without a permission
// to read groups, the caller sees only their IDs.
func (c *call) memberOf() (*collection, []entity) {
	var all []entity
	for _, group := range c.groupsOf(strings.Contains(c.r.URL.Path, "/transitiveMemberOf")) {
		e := groupEntity(group)
		if !c.caller.hasAny(readsGroups) {
			e.limit("id")
		}
		all = append(all, e)
	}
	set := references()
	set.samples = set.samples[1:] // groups
	return set, all
}

func (c *call) listMemberOf() { c.list(c.memberOf()) }

func (c *call) countMemberOf() { c.count(c.memberOf()) }

// listGroupsOf is memberOf with the type at the end of the path. Its entries are groups by their
// type.
func (c *call) listGroupsOf() {
	set, all := c.memberOf()
	set.context = "groups"
	set.references = false
	c.list(set, all)
}

// readBody reads a JSON object. It reports false after an error answer.
func (c *call) readBody(into any) bool {
	text := http.MaxBytesReader(c.w, c.r.Body, maxBody)
	if err := json.NewDecoder(text).Decode(into); err != nil {
		c.failWith(badRequest("Unable to read JSON request payload. " +
			"Please ensure Content-Type header is set and payload is of valid JSON format."))
		return false
	}
	return true
}

// getMemberIDs lists the IDs of all groups: getMemberObjects and getMemberGroups. A token with too
// many groups points here.
func (c *call) getMemberIDs() {
	var wanted struct {
		SecurityEnabledOnly *bool `json:"securityEnabledOnly"`
	}
	if !c.readBody(&wanted) {
		return
	}
	if wanted.SecurityEnabledOnly == nil {
		action := c.r.URL.Path[strings.LastIndexByte(c.r.URL.Path, '/')+1:]
		c.failWith(badBody("A value is required for property 'securityEnabledOnly' of resource '%s'.", action))
		return
	}
	c.writeIDs(c.groupIDs())
}

// groupIDs returns the IDs of all groups of the user or group in the path.
func (c *call) groupIDs() []string {
	ids := []string{}
	for _, group := range c.groupsOf(true) {
		ids = append(ids, group.ID)
	}
	return ids
}

func (c *call) writeIDs(ids []string) {
	context := member{"@odata.context", c.context("Collection(Edm.String)")}
	if id := c.r.PathValue("tenant"); id != "" { // the form of Azure AD Graph (M)
		context = member{"odata.metadata", c.Origin + "/" + id + "/$metadata#Collection(Edm.String)"}
	}
	c.write(http.StatusOK, object{context, {"value", ids}})
}

// checkMemberGroups returns the IDs in a list to whose groups the person belongs.
func (c *call) checkMemberGroups() {
	var wanted struct {
		GroupIDs []string `json:"groupIds"`
	}
	if !c.readBody(&wanted) {
		return
	}
	if n := len(wanted.GroupIDs); n == 0 || n > maxGroupIDs {
		c.failWith(badBody("Invalid value specified for property 'groupIds' of resource 'checkMemberGroups': "+
			"want 1 to %d IDs, got %d.", maxGroupIDs, n))
		return
	}
	held := c.groupIDs()
	ids := []string{}
	for _, id := range wanted.GroupIDs {
		isHeld := func(other string) bool { return strings.EqualFold(other, id) }
		if slices.ContainsFunc(held, isHeld) {
			ids = append(ids, id)
		}
	}
	c.writeIDs(ids)
}

// getByIDs returns the people and groups with some object IDs. It leaves out unknown IDs.
func (c *call) getByIDs() {
	var wanted struct {
		IDs   []string `json:"ids"`
		Types []string `json:"types"`
	}
	if !c.readBody(&wanted) {
		return
	}
	if n := len(wanted.IDs); n == 0 || n > maxObjectIDs {
		c.failWith(badBody("Invalid value specified for property 'ids' of resource 'getByIds': "+
			"want 1 to %d IDs, got %d.", maxObjectIDs, n))
		return
	}
	value := []object{}
	for _, id := range wanted.IDs {
		e := c.objectOf(id)
		isWanted := e != nil && (len(wanted.Types) == 0 || slices.Contains(wanted.Types, string(e.kind)) ||
			slices.Contains(wanted.Types, "directoryObject"))
		if isWanted {
			value = append(value, e.object(nil, true))
		}
	}
	c.write(http.StatusOK, object{{"@odata.context", c.context("directoryObjects")}, {"value", value}})
}
