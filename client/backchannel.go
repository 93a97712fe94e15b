package client

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"mcpentra/client/discovery"
	"mcpentra/client/tokenrequest"
	"mcpentra/client/tokenstore"
)

// A backChannel sends the requests of a sign-in that no browser sends: for metadata, registrations
// and tokens. They never carry the server's access token.
type backChannel struct {
	config *Config
	server *url.URL
	http   *http.Client
	// preparing sends the requests before the person is asked. It keeps connections until
	// endPreparing is called.
	preparing    *http.Client
	endPreparing func()
}

// closeIdle closes the idle connections of Config.Base after a wait for a person. The server may
// close one just now (many do after five seconds), and a code or a call must not be sent twice. A
// concurrent request can lose an answer without a body by it, so only sign-ins call it.
func (b *backChannel) closeIdle() {
	(&http.Client{Transport: b.config.Base}).CloseIdleConnections()
}

func (b *backChannel) fetcher() *discovery.Fetcher {
	return &discovery.Fetcher{
		HTTPClient:      b.preparing,
		ProtocolVersion: b.config.ProtocolVersion,
		EntraTenants:    b.config.Entra.Tenants,
		IssuerRootSlash: b.config.Relax.IssuerRootSlash,
		ResourceAbove:   b.config.Relax.ResourceAbove,
	}
}

// discover finds the server's metadata and its authorization server: the first usable one that the
// metadata names. The resource is nil if the server has no metadata (MCP 2025-03-26).
func (b *backChannel) discover(
	ctx context.Context, challenge *discovery.Challenge,
) (*discovery.Resource, *discovery.Issuer, error) {
	resource, err := b.fetcher().FindResource(ctx, b.server, metadataURL(challenge))
	if errors.Is(err, discovery.ErrNoMetadata) {
		b.config.Trace(ResourceFound{})
		issuer, err := b.fetcher().FindLegacyIssuer(ctx, b.server)
		if err == nil {
			err = b.accept(issuer)
		}
		return nil, issuer, asPKCEError(err)
	}
	if err != nil {
		return nil, nil, err
	}
	b.config.Trace(ResourceFound{
		Location:             resource.Location,
		Resource:             resource.Resource,
		AuthorizationServers: resource.AuthorizationServers,
	})
	issuer, err := b.firstIssuer(ctx, resource)
	return resource, issuer, err
}

// firstIssuer finds the first usable authorization server of a resource. One that does not
// advertise PKCE ends the search, because MCP requires the client to refuse it.
func (b *backChannel) firstIssuer(ctx context.Context, resource *discovery.Resource) (*discovery.Issuer, error) {
	var failures []error
	for _, name := range resource.AuthorizationServers {
		issuer, err := b.fetcher().FindIssuer(ctx, name, b.server)
		if err == nil {
			err = b.accept(issuer)
		}
		if err == nil {
			return issuer, nil
		}
		failures = append(failures, err)
		if errors.Is(err, discovery.ErrNoPKCE) || ctx.Err() != nil {
			break
		}
	}
	return nil, asPKCEError(errors.Join(failures...))
}

// accept checks that an authorization server can serve a person with a browser. The other ways to
// get a token send no code through a browser that an attacker could intercept.
func (b *backChannel) accept(issuer *discovery.Issuer) error {
	if b.config.Unattended == nil && !b.config.DeviceCode {
		if err := issuer.CheckCodeFlow(b.config.Entra.UnadvertisedPKCE); err != nil {
			return err
		}
	}
	b.config.Trace(IssuerFound{
		Location:              issuer.Location,
		Issuer:                issuer.Issuer,
		AuthorizationEndpoint: issuer.AuthorizationEndpoint,
		TokenEndpoint:         issuer.TokenEndpoint,
	})
	return nil
}

// asPKCEError makes a missing PKCE a *SignInError: another try would end the same way.
func asPKCEError(err error) error {
	if errors.Is(err, discovery.ErrNoPKCE) {
		return &SignInError{err}
	}
	return err
}

// hasMoved reports whether the server names other authorization servers now than the issuer of a
// token. The refresh token is then worthless. A challenge is the reason to look again (RFC 9728
// section 5).
func (b *backChannel) hasMoved(ctx context.Context, challenge *discovery.Challenge, issuer string) (bool, error) {
	resource, err := b.fetcher().FindResource(ctx, b.server, metadataURL(challenge))
	if errors.Is(err, discovery.ErrNoMetadata) {
		return issuer != b.server.Scheme+"://"+b.server.Host, nil
	}
	if err != nil {
		return false, err
	}
	return !slices.Contains(resource.AuthorizationServers, issuer), nil
}

// metadataURL returns the URL of the protected resource metadata in a challenge, or "".
func metadataURL(challenge *discovery.Challenge) string {
	if challenge == nil {
		return ""
	}
	return challenge.Params["resource_metadata"]
}

// tokenEndpoint returns an issuer's token endpoint for a client. The key binds its tokens; nil
// means bearer tokens.
func (b *backChannel) tokenEndpoint(
	issuer *discovery.Issuer, client tokenrequest.Client, key *tokenrequest.DPoP,
) *tokenrequest.Endpoint {
	return &tokenrequest.Endpoint{
		URL:         issuer.TokenEndpoint,
		Client:      client,
		Key:         b.config.ClientKey,
		Issuer:      issuer.Issuer,
		SigningAlgs: issuer.SigningAlgs,
		DPoP:        key,
		HTTPClient:  b.http,
		Now:         b.config.Now,
		Pause:       b.config.Pause,
	}
}

// storedEndpoint returns the token endpoint that issued an entry.
func (b *backChannel) storedEndpoint(issuer string, entry tokenstore.Entry) *tokenrequest.Endpoint {
	client := entry.Client
	if entry.Preregistered {
		client.Secret = b.config.ClientSecret
	}
	metadata := &discovery.Issuer{
		Issuer:        issuer,
		TokenEndpoint: entry.TokenEndpoint,
		SigningAlgs:   entry.SigningAlgs,
	}
	return b.tokenEndpoint(metadata, client, nil)
}
