package broker

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Scope is a permission that a client can ask for. It has a name of the server's own, a
// description for people, and the permissions that it needs at Entra.
type Scope struct {
	Name        string   // such as user.read
	Description string   // completes "… would like to"
	Upstream    []string // delegated Graph permissions, such as User.Read
}

// DefaultScopes returns the one scope that the reference server's tools need.
func DefaultScopes() []Scope {
	return []Scope{{Name: "user.read", Description: "read your name and profile", Upstream: []string{"User.Read"}}}
}

// Records hold scopes by their IDs. The ID of a scope of the MCP endpoint is its name. The ID of
// another resource's scope is the resource's URL, # and the name. So an ID says which resource it
// belongs to, and consent to a scope of one resource is not consent to another's. A version of this
// server that has one resource alone does not know these IDs, so it grants nothing for them.

// idSeparator separates resource and name in the ID of a scope. No resource's URL contains it.
const idSeparator = "#"

// splitID returns the resource's URL and the name in a scope's ID. The URL is empty for a scope of
// the MCP endpoint.
func splitID(id string) (url, name string) {
	url, name, found := strings.Cut(id, idSeparator)
	if found && strings.Contains(url, "://") {
		return url, name
	}
	return "", id
}

// plainNames returns the names in scopes' IDs, as clients and resources know them.
func plainNames(ids []string) []string {
	names := make([]string, 0, len(ids))
	for _, id := range ids {
		_, name := splitID(id)
		names = append(names, name)
	}
	return names
}

// checkScopes checks the scopes of a resource.
func (r *resource) checkScopes() error {
	if len(r.Scopes) == 0 {
		return errors.New("want at least one scope")
	}
	known := map[string]bool{}
	for _, scope := range r.Scopes {
		url, _ := splitID(scope.Name)
		switch {
		case !isScopeToken(scope.Name) || url != "":
			return fmt.Errorf("want a scope of visible ASCII characters without quotes, backslashes and a URL with #, "+
				"got %q", scope.Name)
		case known[scope.Name]:
			return fmt.Errorf("the scope %s is there twice", scope.Name)
		}
		known[scope.Name] = true
	}
	return nil
}

// isScopeToken checks the syntax of RFC 6749 section 3.3.
func isScopeToken(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(c rune) bool {
		return c <= ' ' || c > '~' || c == '"' || c == '\\'
	})
}

// scopeNamed returns the scope of a name, or nil.
func (r *resource) scopeNamed(name string) *Scope {
	i := slices.IndexFunc(r.Scopes, func(scope Scope) bool { return scope.Name == name })
	if i < 0 {
		return nil
	}
	return &r.Scopes[i]
}

// scopeIDs returns the IDs of all scopes.
func (r *resource) scopeIDs() []string {
	var ids []string
	for _, scope := range r.Scopes {
		ids = append(ids, r.prefix+scope.Name)
	}
	return ids
}

// defaultScopes returns the IDs of the scopes of a client that asks for none: the first one.
func (r *resource) defaultScopes() []string { return []string{r.prefix + r.Scopes[0].Name} }

// resourceOf returns the resource to which scopes belong. All scopes of a record belong to one. If
// the operator has removed the resource, the result has its URL and no scopes.
func (b *Broker) resourceOf(ids []string) *resource {
	if len(ids) == 0 {
		return b.primary()
	}
	url, _ := splitID(ids[0])
	if url == "" {
		return b.primary()
	}
	for _, r := range b.resources[1:] {
		if r.URL == url {
			return r
		}
	}
	return &resource{Resource: Resource{URL: url, Name: url}, prefix: url + idSeparator}
}

// isServed reports whether a resource is still in the Config.
func (r *resource) isServed() bool { return len(r.Scopes) > 0 }

// scope returns the scope of an ID, or nil.
func (b *Broker) scope(id string) *Scope {
	_, name := splitID(id)
	return b.resourceOf([]string{id}).scopeNamed(name)
}

// descriptions returns the descriptions of scopes.
func (b *Broker) descriptions(ids []string) []string {
	var texts []string
	for _, id := range ids {
		if found := b.scope(id); found != nil {
			texts = append(texts, found.Description)
		}
	}
	return texts
}

// allScopeNames returns the names of the scopes of all resources, each once.
func (b *Broker) allScopeNames() []string {
	var names []string
	for _, r := range b.resources {
		for _, scope := range r.Scopes {
			names = union(names, []string{scope.Name})
		}
	}
	return names
}

// belongsElsewhere reports whether only other resources have a scope of a name.
func (b *Broker) belongsElsewhere(name string, r *resource) bool {
	return r.scopeNamed(name) == nil &&
		slices.ContainsFunc(b.resources, func(other *resource) bool { return other.scopeNamed(name) != nil })
}

// askedScopes returns the IDs of the scopes that a scope parameter asks for at a resource, each
// once. All endpoints follow the same rule: they refuse names that only another resource has,
// ignore unknown names, and use the fallback if no name is left.
func (b *Broker) askedScopes(r *resource, parameter string, fallback []string) ([]string, *protocolError) {
	var known []string
	for _, name := range strings.Fields(parameter) {
		switch {
		case b.belongsElsewhere(name, r):
			return nil, b.foreignScope(name, r)
		case r.scopeNamed(name) != nil:
			known = union(known, []string{r.prefix + name})
		}
	}
	if len(known) == 0 {
		return fallback, nil
	}
	return known, nil
}

// foreignScope refuses a scope of another resource.
func (b *Broker) foreignScope(name string, r *resource) *protocolError {
	return badRequest("invalid_scope", r.URL+" does not have one of these scopes: "+
		"ask for it with the resource that has it").
		saw("scope", name).saw("resource", r.URL)
}

// registeredScopes returns the scopes for the answer to a registration, which is for all resources.
func (b *Broker) registeredScopes(parameter string) string {
	known := sameScopes(b.allScopeNames(), strings.Fields(parameter))
	if len(known) == 0 {
		known = plainNames(b.primary().defaultScopes())
	}
	return strings.Join(known, " ")
}

// narrowedScopes returns the scopes of a refresh: the grant's, or fewer if the client asks for
// fewer (OAuth 2.1 section 4.3).
func (b *Broker) narrowedScopes(g *grant, parameter string) ([]string, *protocolError) {
	asked, problem := b.askedScopes(b.resourceOf(g.Scopes), parameter, g.Scopes)
	if problem != nil {
		return nil, problem
	}
	if len(without(asked, g.Scopes)) > 0 {
		return nil, badRequest("invalid_scope", "a refresh cannot have more than the person approved").
			saw("scope", parameter).saw("granted", strings.Join(g.Scopes, " "))
	}
	return asked, nil
}

// upstreamScopes returns the permissions to ask Entra for on behalf of the scopes.
func (b *Broker) upstreamScopes(ids []string) []string {
	var permissions []string
	for _, id := range ids {
		if found := b.scope(id); found != nil {
			permissions = append(permissions, found.Upstream...)
		}
	}
	return permissions
}

// missingScopes returns the permissions that Entra has not granted.
func missingScopes(asked, granted []string) []string {
	return slices.DeleteFunc(slices.Clone(asked), func(scope string) bool {
		return slices.ContainsFunc(granted, func(other string) bool { return strings.EqualFold(scope, other) })
	})
}
