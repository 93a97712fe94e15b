package graph

import (
	"net/http"
	"strings"

	"mcpentra/fakeentra/directory"
)

// A Route is a path of Graph. The same path below /beta is an alias.
type Route struct {
	Method string
	Path   string
	// Delegated lists permissions. A person's token needs one of them. Those in Own suffice for the
	// person's own data.
	Delegated []string
	Own       []string
	// Application lists permissions. An app's token needs one of them. Nil refuses apps.
	Application []string

	handle func(*call)
}

// Routes returns the paths of Graph. A path below /users/{user} also exists below /me, for people.
func Routes() []Route {
	var all []Route
	for _, route := range routes {
		if mine, found := strings.CutPrefix(route.Path, "/v1.0/users/{user}"); found {
			own := route
			own.Path = "/v1.0/me" + mine
			own.Application = nil
			all = append(all, own)
		}
		all = append(all, route)
	}
	return all
}

// get makes a route that reads, with the same permissions for people and apps.
func get(path string, own, permissions []string, handle func(*call)) Route {
	return Route{
		Method:      http.MethodGet,
		Path:        "/v1.0" + path,
		Delegated:   permissions,
		Own:         own,
		Application: permissions,
		handle:      handle,
	}
}

// post is get for an action with a body.
func post(path string, own, permissions []string, handle func(*call)) Route {
	route := get(path, own, permissions, handle)
	route.Method = http.MethodPost
	return route
}

var routes = []Route{
	get("/users", nil, readsUsers, (*call).listUsers),
	get("/users/$count", nil, readsUsers, (*call).countUsers),
	get("/users/{user}", readsOwnProfile, readsUsers, (*call).getUser),
	get("/users/{user}/memberOf", readsOwnProfile, readsMemberships, (*call).listMemberOf),
	get("/users/{user}/memberOf/$count", readsOwnProfile, readsMemberships, (*call).countMemberOf),
	get("/users/{user}/memberOf/microsoft.graph.group", readsOwnProfile, readsMemberships, (*call).listGroupsOf),
	get("/users/{user}/transitiveMemberOf", readsOwnProfile, readsMemberships, (*call).listMemberOf),
	get("/users/{user}/transitiveMemberOf/$count", readsOwnProfile, readsMemberships, (*call).countMemberOf),
	get("/users/{user}/transitiveMemberOf/microsoft.graph.group",
		readsOwnProfile, readsMemberships, (*call).listGroupsOf),
	post("/users/{user}/getMemberObjects", readsOwnProfile, readsMemberships, (*call).getMemberIDs),
	post("/users/{user}/getMemberGroups", readsOwnProfile, readsMemberships, (*call).getMemberIDs),
	post("/users/{user}/checkMemberGroups", readsOwnProfile, readsMemberships, (*call).checkMemberGroups),
	get("/users/{user}/photo", readsOwnProfile, readsPhotos, (*call).getPhoto),
	get("/users/{user}/photo/$value", readsOwnProfile, readsPhotos, (*call).getPhotoValue),
	get("/groups", nil, readsGroups, (*call).listGroups),
	get("/groups/$count", nil, readsGroups, (*call).countGroups),
	get("/groups/{group}", nil, readsGroups, (*call).getGroup),
	get("/groups/{group}/members", nil, readsGroups, (*call).listMembers),
	get("/groups/{group}/members/$count", nil, readsGroups, (*call).countMembers),
	get("/groups/{group}/transitiveMembers", nil, readsGroups, (*call).listMembers),
	get("/groups/{group}/memberOf", nil, readsGroups, (*call).listMemberOf),
	get("/groups/{group}/transitiveMemberOf", nil, readsGroups, (*call).listMemberOf),
	post("/directoryObjects/getByIds", nil, readsObjects, (*call).getByIDs),
	get("/organization", readsOwnProfile, readsOrganization, (*call).listOrganization),
	{Method: http.MethodGet, Path: "/v1.0/me/events", Delegated: readsCalendar, handle: (*call).listEvents},
	{Method: http.MethodGet, Path: "/oidc/userinfo", Delegated: usesSignIn, handle: (*call).userInfo},
	{Method: http.MethodPost, Path: "/oidc/userinfo", Delegated: usesSignIn, handle: (*call).userInfo},
}

// A call is a request with its caller, who has the permission.
type call struct {
	*server
	w      http.ResponseWriter
	r      *http.Request
	caller *Caller
	// person is the user in the path, or the caller at /me. It is nil on other paths.
	person *directory.User
	// group is the group in the path, or nil.
	group *directory.Group
}

// serve calls the handler of a route for a caller who has the permission.
func (g *server) serve(route Route) http.HandlerFunc {
	isPersonal := route.Application == nil
	return func(w http.ResponseWriter, r *http.Request) {
		caller, refusal := g.authenticate(r.Context(), r.Header)
		if refusal != nil {
			g.refuse(w, refusal)
			return
		}
		c := &call{server: g, w: w, r: r, caller: caller}
		if caller.User == nil && isPersonal {
			c.failWith(badRequest("/me request is only valid with delegated authentication flow."))
			return
		}
		if wrong := c.find(isPersonal); wrong != nil {
			if !caller.hasAny(route.Delegated) {
				wrong = errForbidden
			}
			c.failWith(wrong)
			return
		}
		if !c.isAllowed(&route) {
			c.failWith(errForbidden)
			return
		}
		route.handle(c)
	}
}

// find finds the user or the group of the path.
func (c *call) find(isPersonal bool) *problem {
	if isPersonal {
		c.person = c.caller.User
		return nil
	}
	if id := c.r.PathValue("tenant"); id != "" && !c.caller.Tenant.HasName(id) {
		return notFound(id)
	}
	if id := c.r.PathValue("user"); id != "" {
		c.person = c.caller.Tenant.User(id)
		if c.person == nil {
			return notFound(id)
		}
	}
	if id := c.r.PathValue("group"); id != "" {
		c.group = c.caller.Tenant.Group(id)
		if c.group == nil {
			return notFound(id)
		}
	}
	return nil
}

// isAllowed reports whether the caller has a permission of the route.
func (c *call) isAllowed(route *Route) bool {
	if c.caller.User == nil {
		return c.caller.hasAny(route.Application)
	}
	isOwn := c.person == nil || c.person.ID == c.caller.User.ID
	return c.caller.hasAny(route.Delegated) || isOwn && c.caller.hasAny(route.Own)
}
