package discovery

import (
	"context"
	"errors"
	"net/url"
)

// FindLegacyIssuer finds the authorization server of an MCP server without protected resource
// metadata. It is the MCP server's origin, with metadata at the root, or else with default paths
// (MCP 2025-03-26, section 2.3). The client uses PKCE in any case; that revision does not require
// the server to advertise it.
func (f *Fetcher) FindLegacyIssuer(ctx context.Context, server *url.URL) (*Issuer, error) {
	origin := server.Scheme + "://" + server.Host
	found, err := f.fetchIssuer(ctx, origin+"/.well-known/oauth-authorization-server", origin, server)
	if err == nil {
		found.Legacy = true
		return found, nil
	}
	if !errors.Is(err, errAbsent) {
		return nil, err
	}
	return &Issuer{
		Issuer:                origin,
		Named:                 origin,
		Assumed:               true,
		Legacy:                true,
		AuthorizationEndpoint: origin + "/authorize",
		TokenEndpoint:         origin + "/token",
		RegistrationEndpoint:  origin + "/register",
	}, nil
}
