package broker

import (
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

// scope returns the scope of a name, or nil.
func (b *Broker) scope(name string) *Scope {
	for i := range b.config.Scopes {
		if b.config.Scopes[i].Name == name {
			return &b.config.Scopes[i]
		}
	}
	return nil
}

// descriptions returns the descriptions of scopes.
func (b *Broker) descriptions(names []string) []string {
	var texts []string
	for _, name := range names {
		if found := b.scope(name); found != nil {
			texts = append(texts, found.Description)
		}
	}
	return texts
}

// scopeNames returns the names of all scopes.
func (b *Broker) scopeNames() []string {
	var names []string
	for _, scope := range b.config.Scopes {
		names = append(names, scope.Name)
	}
	return names
}

// defaultScopes returns the scopes of a client that asks for none: the first one of the Config.
func (b *Broker) defaultScopes() []string { return []string{b.config.Scopes[0].Name} }

// askedScopes returns the scopes that a scope parameter asks for, each once. All endpoints follow
// the same rule: they ignore unknown names, and use the fallback if no name is left.
func (b *Broker) askedScopes(parameter string, fallback []string) []string {
	var known []string
	for _, name := range strings.Fields(parameter) {
		if b.scope(name) != nil && !slices.Contains(known, name) {
			known = append(known, name)
		}
	}
	if len(known) == 0 {
		return fallback
	}
	return known
}

// narrowedScopes returns the scopes of a refresh: the grant's, or fewer if the client asks for
// fewer (OAuth 2.1 section 4.3).
func (b *Broker) narrowedScopes(g *grant, parameter string) ([]string, *protocolError) {
	asked := b.askedScopes(parameter, g.Scopes)
	if slices.ContainsFunc(asked, func(name string) bool { return !slices.Contains(g.Scopes, name) }) {
		return nil, badRequest("invalid_scope", "a refresh cannot have more than the person approved").
			saw("scope", parameter).saw("granted", strings.Join(g.Scopes, " "))
	}
	return asked, nil
}

// upstreamScopes returns the permissions to ask Entra for on behalf of the scopes.
func (b *Broker) upstreamScopes(names []string) []string {
	var permissions []string
	for _, name := range names {
		if found := b.scope(name); found != nil {
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
