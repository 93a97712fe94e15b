package signin

import (
	"slices"
	"strings"

	"mcpentra/client/discovery"
)

const maxScopes = 100

// SelectScopes returns the scopes to request (MCP 2025-11-25, Scope Selection Strategy): the scopes
// of the challenge, or else all that the resource lists, or else none. It leaves out
// offline_access, which asks for a refresh token, unless the authorization server lists it.
func SelectScopes(challenged string, resource *discovery.Resource, issuer *discovery.Issuer) []string {
	scopes := ParseScopes(challenged)
	if len(scopes) == 0 && resource != nil {
		scopes = ParseScopes(strings.Join(resource.Scopes, " "))
	}
	if !slices.Contains(issuer.Scopes, "offline_access") {
		scopes = slices.DeleteFunc(scopes, func(name string) bool { return name == "offline_access" })
	}
	return scopes[:min(len(scopes), maxScopes)]
}

// ParseScopes splits a list of scopes. It leaves out malformed scopes (RFC 6749 section 3.3) and
// repetitions.
func ParseScopes(list string) []string {
	var scopes []string
	for _, scope := range strings.Fields(list) {
		if !strings.ContainsFunc(scope, isNoScopeRune) && !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	return scopes
}

func isNoScopeRune(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }
