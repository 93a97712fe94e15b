package fakeentra

import (
	"slices"
	"strings"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
)

// oidcScopes are set aside before scopes are resolved (OpenID Connect Core section 5.4).
var oidcScopes = []string{"openid", "profile", "email", "offline_access"}

// graphApp is Microsoft Graph as a resource, with the delegated permissions that are of use here.
var graphApp = directory.App{
	ID: directory.GraphAppID, DisplayName: "Microsoft Graph",
	IdentifierURIs: []string{"https://graph.microsoft.com", "https://graph.microsoft.com/"},
	Scopes: []directory.Scope{
		{Name: "User.Read", DisplayName: "Sign you in and read your profile"},
		{Name: "Calendars.Read", DisplayName: "Read your calendars"},
		{Name: "GroupMember.Read.All", DisplayName: "Read group memberships", AdminOnly: true},
		{Name: "Mail.Read", DisplayName: "Read your mail"},
		{Name: "User.Read.All", DisplayName: "Read all users' full profiles", AdminOnly: true},
		{Name: "openid", DisplayName: "Sign you in"},
		{Name: "profile", DisplayName: "View your basic profile"},
		{Name: "email", DisplayName: "View your e-mail address"},
		{Name: "offline_access", DisplayName: "Maintain access to data you have given it access to"},
	},
}

// A request for permissions, resolved: the OpenID Connect scopes, and the named ones by the app that exposes them.
type permissions struct {
	oidc   []string
	groups []permissionGroup
}

// A permissionGroup is what was asked of one resource.
type permissionGroup struct {
	app      *directory.App
	asked    string   // the identifier as it was written, empty for a bare name
	names    []string // as the app spells them
	everyone bool     // .default
	implied  []string // what .default stands for
}

func (p *permissions) has(oidc string) bool { return slices.Contains(p.oidc, oidc) }

// group is the one resource that a token is for. A request of nothing but OpenID Connect scopes is one for Graph.
func (p *permissions) group() permissionGroup {
	if len(p.groups) == 0 {
		return permissionGroup{app: &graphApp}
	}
	return p.groups[0]
}

// all are the permissions as consent remembers them: the resource's ID and the name.
func (p *permissions) all() []string {
	var all []string
	for _, name := range p.oidc {
		all = append(all, consentName(&graphApp, name))
	}
	for _, group := range p.groups {
		for _, name := range slices.Concat(group.names, group.implied) {
			all = append(all, consentName(group.app, name))
		}
	}
	return all
}

func consentName(app *directory.App, name string) string { return app.ID + "/" + name }

// resource finds the app that an identifier names, Graph included.
func (f *Fake) resource(tenant *directory.Tenant, identifier string) *directory.App {
	if identifier == directory.GraphAppID || identifier == f.graphURL || identifier == f.graphURL+"/" || slices.Contains(graphApp.IdentifierURIs, identifier) {
		return &graphApp
	}
	if app := tenant.Resource(identifier); app != nil {
		return app
	}
	for i := range f.directory.Tenants {
		if app := f.directory.Tenants[i].Resource(identifier); app != nil && app.MultiTenant {
			return app
		}
	}
	return nil
}

// resolve reads a scope parameter. A bare name is one of Microsoft Graph; otherwise everything before the last slash
// names the resource. Where the same mistake has another number at the token endpoint, atToken tells.
func (f *Fake) resolve(tenant *directory.Tenant, client *directory.App, scope string, atToken bool) (*permissions, *aadsts.Error) {
	found := &permissions{}
	for _, word := range strings.Fields(scope) {
		if lower := strings.ToLower(word); slices.Contains(oidcScopes, lower) { // without regard to case, as other names (M)
			if !found.has(lower) {
				found.oidc = append(found.oidc, lower)
			}
			continue
		}
		app, name, asked := &graphApp, word, ""
		if cut := strings.LastIndexByte(word, '/'); cut >= 0 {
			asked, name = strings.Clone(word[:cut]), word[cut+1:] // a copy, which does not hold on to the whole request
			if app = f.resource(tenant, asked); app == nil {
				return nil, aadsts.ResourceNotFound(asked, tenant.ID)
			}
			if app.Disabled {
				return nil, aadsts.ResourceDisabled(asked)
			}
		}
		group := found.groupOf(app, asked)
		if name == ".default" {
			listed, problem := f.listed(tenant, client, app, asked)
			if problem != nil {
				return nil, problem
			}
			group.everyone, group.implied = true, listed
			continue
		}
		exposed := app.ScopeNamed(name)
		if exposed == nil {
			if atToken {
				return nil, aadsts.ScopeInvalid(word)
			}
			return nil, aadsts.ScopeUnknown(client.ID, name, app.ID)
		}
		if !slices.Contains(group.names, exposed.Name) {
			group.names = append(group.names, exposed.Name)
		}
	}
	everyone := slices.ContainsFunc(found.groups, func(group permissionGroup) bool { return group.everyone })
	if everyone && slices.ContainsFunc(found.groups, func(group permissionGroup) bool { return len(group.names) > 0 }) {
		return nil, aadsts.DefaultScopeMixed(scope)
	}
	return found, nil
}

// listed are the permissions of a resource that .default and v1 requests stand for: those that the client's registration
// lists. A nil client is an app that asks for itself, which needs none.
func (f *Fake) listed(tenant *directory.Tenant, client, app *directory.App, asked string) ([]string, *aadsts.Error) {
	if client == nil {
		return nil, nil
	}
	if client.Permissions == nil {
		return consentable(client, app), nil
	}
	var names, resources []string
	for _, one := range client.Permissions {
		resource, name := &graphApp, one
		if cut := strings.LastIndexByte(one, '/'); cut >= 0 {
			resource, name = f.resource(tenant, one[:cut]), one[cut+1:]
		}
		if resource == nil {
			continue // of another tenant's directory
		}
		if !slices.Contains(resources, resource.ID) {
			resources = append(resources, resource.ID)
		}
		if scope := resource.ScopeNamed(name); resource == app && scope != nil {
			names = append(names, scope.Name)
		}
	}
	if app != client && !slices.Contains(resources, app.ID) {
		return nil, aadsts.ResourceNotListed(client.ID, client.DisplayName, asked, app.ID, strings.Join(resources, ", "))
	}
	return names, nil
}

// consentable stands in for the list of a registration that has none: what people can consent to, an API's scopes or
// signing in at Graph.
func consentable(client, app *directory.App) []string {
	if app == &graphApp {
		names := []string{"User.Read"}
		for _, one := range client.Consented {
			if scope := graphApp.ScopeNamed(one); scope != nil && scope.Name != "User.Read" {
				names = append(names, scope.Name)
			}
		}
		return names
	}
	var names []string
	for _, scope := range app.Scopes {
		if !scope.AdminOnly {
			names = append(names, scope.Name)
		}
	}
	return names
}

// resolveV1 reads a request of the v1 endpoints, which name a resource and always mean everything consented to.
func (f *Fake) resolveV1(tenant *directory.Tenant, client *directory.App, resource, scope string) (*permissions, *aadsts.Error) {
	if resource == "" {
		resource = directory.GraphAppID
	}
	app := f.resource(tenant, resource)
	if app == nil {
		return nil, aadsts.ResourceNotFound(resource, tenant.ID)
	}
	listed, problem := f.listed(tenant, client, app, resource)
	if problem != nil {
		return nil, problem
	}
	found := &permissions{oidc: []string{"openid", "profile", "offline_access"}}
	if slices.Contains(strings.Fields(scope), "email") {
		found.oidc = append(found.oidc, "email")
	}
	found.groups = []permissionGroup{{app: app, asked: resource, everyone: true, implied: listed}}
	return found, nil
}

func (p *permissions) groupOf(app *directory.App, asked string) *permissionGroup {
	for i := range p.groups {
		if p.groups[i].app == app {
			return &p.groups[i]
		}
	}
	p.groups = append(p.groups, permissionGroup{app: app, asked: asked})
	return &p.groups[len(p.groups)-1]
}

// checkResource applies the rule for the parameter resource. Since 2026 it is compared, character by character, with
// the identifier URIs of the app that the scopes belong to; before, any resource was refused. The authorization endpoint
// sends the error to the client (M: some clients report a page). A resource that nobody has is the same error (M).
func (f *Fake) checkResource(resource string, present bool, asked *permissions, tenant *directory.Tenant) *aadsts.Error {
	if !present || f.config.ResourceParameter == ResourceIgnored || f.config.Face == SpecAlignedFace {
		return nil
	}
	if f.config.ResourceParameter == ResourceRefused {
		return aadsts.ResourceUnsupported()
	}
	named := tenant.Resource(resource)
	another := func(group permissionGroup) bool { return group.app != named }
	if named == nil || len(asked.groups) == 0 || slices.ContainsFunc(asked.groups, another) || directory.IsGUID(resource) {
		return aadsts.ResourceMismatch()
	}
	return nil
}

// granted are the names of one resource's permissions that a token carries: those asked for now and those consented to
// earlier. Graph's have the OpenID Connect names among them, other resources' have not, and none has offline_access (M).
func (f *Fake) granted(d *delegation, group permissionGroup) []string {
	names := slices.Concat(group.names, group.implied)
	for _, one := range f.grantedTo(d.tenant, d.client, d.user) {
		if name, found := strings.CutPrefix(one, group.app.ID+"/"); found && !slices.Contains(names, name) && !slices.Contains(oidcScopes, name) {
			names = append(names, name)
		}
	}
	if group.app == &graphApp {
		for _, name := range d.asked.oidc {
			if name != "offline_access" {
				names = append(names, name)
			}
		}
	}
	return names
}
