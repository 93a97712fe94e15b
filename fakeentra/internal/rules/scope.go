package rules

import (
	"slices"
	"strings"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
)

// Audience returns the aud of a token for a resource. In v1 it is the identifier in the request. In
// v2, and in v1 with the property use_guid, it is always the application ID.
func (r *Rules) Audience(group PermissionGroup) string {
	switch {
	case group.App == &GraphApp && group.Asked == directory.GraphAppID:
		return directory.GraphAppID
	case group.App == &GraphApp:
		return r.GraphURL
	case group.App.UsesGUID() || group.Asked == "":
		return group.App.ID
	}
	return group.Asked
}

// OIDCScopes are the scopes of OpenID Connect (Core section 5.4). They name no resource.
var OIDCScopes = []string{"openid", "profile", "email", "offline_access"}

// GraphApp is Microsoft Graph as a resource, with its permissions. No directory has it, so compare
// pointers.
var GraphApp = directory.App{
	ID:             directory.GraphAppID,
	DisplayName:    "Microsoft Graph",
	IdentifierURIs: []string{"https://graph.microsoft.com", "https://graph.microsoft.com/"},
	Scopes:         directory.GraphScopes(),
	Roles:          directory.GraphRoles(),
}

// Permissions are the permissions in a scope parameter: the OpenID Connect scopes, and the other
// scopes by the app that exposes them.
type Permissions struct {
	OIDC   []string
	Groups []PermissionGroup
}

// A PermissionGroup holds the permissions of one resource.
type PermissionGroup struct {
	App     *directory.App
	Asked   string   // identifier of the resource in the request; empty for bare names
	Names   []string // in the app's spelling
	Default bool     // the request has .default
	Implied []string // permissions that .default adds
}

// HasDefault reports whether the request has .default, for the permissions in the registration.
func (p *Permissions) HasDefault() bool {
	return slices.ContainsFunc(p.Groups, func(group PermissionGroup) bool { return group.Default })
}

// Has reports whether the request has an OpenID Connect scope.
func (p *Permissions) Has(oidc string) bool { return slices.Contains(p.OIDC, oidc) }

// Group returns the permissions of the resource that a token is for. A request with only OpenID
// Connect scopes is for Graph.
func (p *Permissions) Group() PermissionGroup {
	if len(p.Groups) == 0 {
		return PermissionGroup{App: &GraphApp}
	}
	return p.Groups[0]
}

// All returns the permissions in the form of ConsentName.
func (p *Permissions) All() []string {
	var all []string
	for _, name := range p.OIDC {
		all = append(all, ConsentName(&GraphApp, name))
	}
	for _, group := range p.Groups {
		for _, name := range slices.Concat(group.Names, group.Implied) {
			all = append(all, ConsentName(group.App, name))
		}
	}
	return all
}

// ConsentName returns the name of a permission in the records of consent.
func ConsentName(app *directory.App, name string) string { return app.ID + "/" + name }

// Resolve reads a scope parameter. A bare name belongs to Microsoft Graph. In any other name, the
// part before the last slash is the resource. Some errors have another number at the token
// endpoint. AtToken selects it.
func (r *Rules) Resolve(
	tenant *directory.Tenant,
	client *directory.App,
	scope string,
	atToken bool,
) (*Permissions, *aadsts.Error) {
	found := &Permissions{}
	for _, word := range strings.Fields(scope) {
		lower := strings.ToLower(word) // case does not matter (M)
		if slices.Contains(OIDCScopes, lower) {
			if !found.Has(lower) {
				found.OIDC = append(found.OIDC, lower)
			}
			continue
		}
		app := &GraphApp
		name := word
		asked := ""
		if cut := strings.LastIndexByte(word, '/'); cut >= 0 {
			asked = strings.Clone(word[:cut]) // does not keep the whole request in memory
			name = word[cut+1:]
			var problem *aadsts.Error
			app, problem = r.resourceOf(tenant, client, asked, atToken)
			if problem != nil {
				return nil, problem
			}
			if app.Disabled {
				return nil, aadsts.ResourceDisabled(asked)
			}
		}
		group := found.groupOf(app, asked)
		if name == ".default" {
			listed, problem := r.listed(tenant, client, app, asked)
			if problem != nil {
				return nil, problem
			}
			group.Default = true
			group.Implied = listed
			continue
		}
		exposed := r.Directory.ScopeOf(app, name)
		if exposed == nil {
			if atToken {
				return nil, aadsts.ScopeInvalid(word)
			}
			problem := aadsts.ScopeUnknown(client.ID, name, app.ID)
			if asked == "" {
				return nil, problem.Later() // M: reports tell of the sign-in page before it
			}
			return nil, problem
		}
		if !slices.Contains(group.Names, exposed.Name) {
			group.Names = append(group.Names, exposed.Name)
		}
	}
	hasNames := slices.ContainsFunc(found.Groups, func(group PermissionGroup) bool { return len(group.Names) > 0 })
	if hasNames && found.HasDefault() {
		return nil, aadsts.DefaultScopeMixed(scope)
	}
	if len(found.Groups) == 0 && slices.Equal(found.OIDC, []string{"offline_access"}) {
		return nil, aadsts.OfflineAccessAlone()
	}
	return found, nil
}

// listed returns the permissions that .default and a v1 request get: those in the client's
// registration. The client is nil in the client credentials grant, which needs none.
func (r *Rules) listed(tenant *directory.Tenant, client, app *directory.App, asked string) ([]string, *aadsts.Error) {
	if client == nil {
		return nil, nil
	}
	if client.Permissions == nil {
		return r.consentable(client, app), nil
	}
	var names []string
	var resources []string
	for _, permission := range client.Permissions {
		resource := &GraphApp
		name := permission
		if cut := strings.LastIndexByte(permission, '/'); cut >= 0 {
			resource = r.FindResource(tenant, permission[:cut])
			name = permission[cut+1:]
		}
		if resource == nil {
			continue // the tenant does not have this resource
		}
		if !slices.Contains(resources, resource.ID) {
			resources = append(resources, resource.ID)
		}
		if scope := r.Directory.ScopeOf(resource, name); resource == app && scope != nil {
			names = append(names, scope.Name)
		}
	}
	if app != client && !slices.Contains(resources, app.ID) {
		listed := strings.Join(resources, ", ")
		return nil, aadsts.ResourceNotListed(client.ID, client.DisplayName, asked, app.ID, listed)
	}
	return names, nil
}

// consentable returns the permissions of a registration without a list: the scopes of an API that
// people can consent to, or User.Read at Graph.
func (r *Rules) consentable(client, app *directory.App) []string {
	if app == &GraphApp {
		names := []string{"User.Read"}
		for _, consented := range client.Consented {
			if scope := r.Directory.ScopeOf(&GraphApp, consented); scope != nil && scope.Name != "User.Read" {
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

// ResolveV1 reads the parameters of the v1 endpoints. They name a resource, and ask for all
// permissions of the client there.
func (r *Rules) ResolveV1(
	tenant *directory.Tenant,
	client *directory.App,
	resource, scope string,
) (*Permissions, *aadsts.Error) {
	if resource == "" {
		resource = directory.GraphAppID
	}
	app := r.FindResource(tenant, resource)
	if app == nil {
		return nil, aadsts.ResourceNotFound(resource, tenant.ID)
	}
	listed, problem := r.listed(tenant, client, app, resource)
	if problem != nil {
		return nil, problem
	}
	found := &Permissions{OIDC: []string{"openid", "profile", "offline_access"}}
	if slices.Contains(strings.Fields(scope), "email") {
		found.OIDC = append(found.OIDC, "email")
	}
	found.Groups = []PermissionGroup{{App: app, Asked: resource, Default: true, Implied: listed}}
	return found, nil
}

func (p *Permissions) groupOf(app *directory.App, asked string) *PermissionGroup {
	for i := range p.Groups {
		if p.Groups[i].App == app {
			return &p.Groups[i]
		}
	}
	p.Groups = append(p.Groups, PermissionGroup{App: app, Asked: asked})
	return &p.Groups[len(p.Groups)-1]
}
