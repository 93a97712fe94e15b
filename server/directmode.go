package server

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"mcpentra/server/broker"
	"mcpentra/server/entra"
	"mcpentra/server/guard"
	"mcpentra/server/identity"
)

// Direct selects the tokens of Entra that a server accepts in direct mode. Its zero value accepts
// v2 tokens of people of Config.Entra's tenant, for its client ID or api://{client id}.
type Direct struct {
	// IdentifierURI is the registration's Application ID URI. Empty means api://{client id}.
	IdentifierURI string
	// TokenVersions are the accepted versions of access tokens: 1, 2 or both. Nil means 2.
	TokenVersions []int
	// Tenants are the directory IDs whose people and applications may call, besides
	// Config.Entra.TenantID.
	Tenants []string
	// Clients are the application IDs that may call. Nil means every client that gets a token from
	// a listed tenant.
	Clients []string
	// ConfidentialClients accepts only clients that authenticated with a secret or a certificate.
	// Most MCP clients are programs on people's own machines, which cannot do that.
	ConfidentialClients bool
	// AppRoles are roles of the API. An application that calls for itself needs one of them. Nil
	// accepts no application of this kind.
	AppRoles []string
}

// DirectScopes returns the default scope of direct mode. Microsoft's own guides use its name.
func DirectScopes() []broker.Scope {
	return []broker.Scope{
		{Name: "access_as_user", Description: "use its tools for you", Upstream: []string{"User.Read"}},
	}
}

// directMode accepts Entra's own access tokens.
type directMode struct {
	api    *entra.API
	scopes []broker.Scope
}

func newDirectMode(config Config) (*directMode, error) {
	api, err := entra.NewAPI(config.Entra, entra.APIConfig{
		IdentifierURI:       config.Direct.IdentifierURI,
		Versions:            config.Direct.TokenVersions,
		Tenants:             config.Direct.Tenants,
		Clients:             config.Direct.Clients,
		ConfidentialClients: config.Direct.ConfidentialClients,
	})
	if err != nil {
		return nil, err
	}
	return &directMode{api: api, scopes: config.Scopes}, nil
}

func (m *directMode) issuers() []string { return m.api.Issuers() }

func (m *directMode) scopePrefix() string { return m.api.ScopePrefix() }

// maintain has no work, because this mode stores nothing.
func (m *directMode) maintain(context.Context) error { return nil }

func (m *directMode) check(ctx context.Context) error { return m.api.Check(ctx) }

func (m *directMode) me(ctx context.Context, graphToken string) (*entra.Profile, error) {
	return m.api.Me(ctx, graphToken)
}

// challenged does nothing. In direct mode the client signs people in at Entra itself, and the
// answer of the tool tells the person to do so.
func (m *directMode) challenged(context.Context, *identity.Caller, string) error { return nil }

// assertionKey is the context key of the caller's token, which the on-behalf-of exchange needs.
// Only this package has the key, so no handler finds the token.
type assertionKey struct{}

func (m *directMode) tokenKey() any { return assertionKey{} }

func (m *directMode) mount(*http.ServeMux) {}

// verify turns a refused client into the guard's 403.
func (m *directMode) verify(ctx context.Context, raw string) (*identity.Caller, error) {
	caller, err := m.api.Verify(ctx, raw)
	var refused *entra.ClientNotAllowedError
	if errors.As(err, &refused) {
		return nil, &guard.ForbiddenError{Reason: refused.Error(), Seen: refused.ClientID, Setting: refused.Setting()}
	}
	return caller, err
}

// graphToken gets a token on behalf of the caller, with the permissions of the token's scopes.
func (m *directMode) graphToken(ctx context.Context, caller *identity.Caller) (string, error) {
	raw, found := ctx.Value(assertionKey{}).(string)
	if !found {
		return "", errors.New("server: the request did not come through the guard")
	}
	var permissions []string
	for _, scope := range m.scopes {
		if !slices.Contains(caller.Scopes, scope.Name) {
			continue
		}
		for _, permission := range scope.Upstream {
			if !slices.Contains(permissions, permission) {
				permissions = append(permissions, permission)
			}
		}
	}
	return m.api.OnBehalfOf(ctx, caller, raw, permissions)
}
