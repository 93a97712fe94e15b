package client

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"mcpentra/client/discovery"
	"mcpentra/client/grant"
	"mcpentra/client/signin"
	"mcpentra/client/tokenstore"
)

// maxScopes bounds what a person is asked to approve, which a server can make longer with every step up.
const maxScopes = 100

// signIn takes a person through the whole flow and keeps the token. The metadata is read anew each time, since the authorization server may be another one now.
func (t *Transport) signIn(ctx context.Context, challenge *discovery.Challenge, more []string) error {
	resource, issuer, err := t.discover(ctx, challenge)
	if err != nil {
		return err
	}
	challenged := ""
	if challenge != nil {
		challenged = challenge.Params["scope"]
	}
	scopes := signin.Scopes(challenged, resource, issuer)
	key := tokenstore.Key{Issuer: issuer.Issuer, Resource: t.server.String()}
	entry, _ := t.config.Tokens.Get(key)
	// What was granted or asked for before is asked for again, so that a step up does not take anything away (MCP 2026-07-28, Step-Up Authorization Flow).
	for _, one := range slices.Concat(entry.Token.Scopes, more, t.config.Scopes) {
		if !slices.Contains(scopes, one) {
			scopes = append(scopes, one)
		}
	}
	if len(scopes) > maxScopes {
		return &SignInError{fmt.Errorf("the server has come to want %d scopes, and more than %d are asked of nobody", len(scopes), maxScopes)}
	}
	t.asked = scopes
	callback, err := t.listen(entry.RedirectURI)
	if err != nil {
		return err
	}
	defer callback.Close()
	entry, err = t.register(ctx, entry, issuer, callback.RedirectURI, scopes)
	if err != nil {
		return asSignInError(err)
	}
	entry.TokenEndpoint, entry.RevocationEndpoint = issuer.TokenEndpoint, issuer.RevocationEndpoint
	entry.Resource = ""
	if resource != nil {
		entry.Resource = resource.Resource
	}
	answer, err := t.authorize(ctx, callback, signin.Request{
		Issuer: issuer, Client: entry.Client, RedirectURI: callback.RedirectURI, Resource: entry.Resource, Scopes: scopes,
	})
	if err != nil {
		return err
	}
	endpoint := grant.Endpoint{URL: issuer.TokenEndpoint, Client: entry.Client, HTTPClient: t.config.outbound(), Now: t.config.Now}
	token, err := endpoint.Redeem(ctx, answer.Code, answer.Verifier, callback.RedirectURI, entry.Resource)
	if err != nil {
		return asSignInError(err)
	}
	if token.Scopes == nil {
		token.Scopes = scopes
	}
	entry.Token = *token
	t.config.Tokens.Save(key, entry)
	t.tellIssued(token, false)
	return nil
}

// discover finds the server's metadata and that of its authorization server, the first one named that is usable.
func (t *Transport) discover(ctx context.Context, challenge *discovery.Challenge) (*discovery.Resource, *discovery.Issuer, error) {
	fetcher := discovery.Fetcher{HTTPClient: t.config.outbound(), ProtocolVersion: t.config.ProtocolVersion}
	location := ""
	if challenge != nil {
		location = challenge.Params["resource_metadata"]
	}
	resource, err := fetcher.FindResource(ctx, t.server, location)
	if errors.Is(err, discovery.ErrNoMetadata) {
		t.config.Trace(ResourceFound{})
		issuer, err := fetcher.FindLegacyIssuer(ctx, t.server)
		if err != nil {
			return nil, nil, err
		}
		t.tellIssuer(issuer)
		return nil, issuer, nil
	}
	if err != nil {
		return nil, nil, err
	}
	t.config.Trace(ResourceFound{Location: resource.Location, Resource: resource.Resource, AuthorizationServers: resource.AuthorizationServers})
	var failures []error
	for _, one := range resource.AuthorizationServers {
		issuer, err := fetcher.FindIssuer(ctx, one, t.server)
		if err == nil {
			t.tellIssuer(issuer)
			return resource, issuer, nil
		}
		failures = append(failures, err)
		if errors.Is(err, discovery.ErrNoPKCE) || ctx.Err() != nil {
			break
		}
	}
	err = errors.Join(failures...)
	if errors.Is(err, discovery.ErrNoPKCE) {
		return nil, nil, &SignInError{err}
	}
	return nil, nil, err
}

func (t *Transport) tellIssuer(issuer *discovery.Issuer) {
	t.config.Trace(IssuerFound{
		Location: issuer.Location, Issuer: issuer.Issuer, AuthorizationEndpoint: issuer.AuthorizationEndpoint, TokenEndpoint: issuer.TokenEndpoint,
	})
}

// listen waits at the address of the last time if it is free, since a registration names it.
func (t *Transport) listen(last string) (*signin.Callback, error) {
	if last != "" {
		if callback, err := signin.Listen(last); err == nil {
			return callback, nil
		}
	}
	return signin.Listen(t.config.RedirectURI)
}

// register finds out which client this program is at an issuer (MCP 2025-11-25, Client Registration Approaches): one that was registered beforehand, or the one of an earlier
// registration with the same redirect URI, or a new one.
func (t *Transport) register(ctx context.Context, entry tokenstore.Entry, issuer *discovery.Issuer, redirectURI string, scopes []string) (tokenstore.Entry, error) {
	var err error
	switch {
	case t.config.ClientID != "":
		if entry.Client, err = signin.Preregistered(issuer, t.config.ClientID, t.config.ClientSecret); err != nil {
			return entry, err
		}
		t.config.Trace(Registered{ClientID: entry.Client.ID, AuthMethod: entry.Client.AuthMethod, Preregistered: true})
	case entry.Client.ID != "" && entry.RedirectURI == redirectURI:
	default:
		if entry.Client, err = signin.Register(ctx, t.config.outbound(), issuer, t.config.Name, redirectURI, scopes); err != nil {
			return entry, err
		}
		t.config.Trace(Registered{ClientID: entry.Client.ID, AuthMethod: entry.Client.AuthMethod})
	}
	entry.RedirectURI = redirectURI
	return entry, nil
}

// authorize opens the page and waits for the answer, for the browser to fail, or for the time to run out.
func (t *Transport) authorize(ctx context.Context, callback *signin.Callback, request signin.Request) (*signin.Answer, error) {
	pending, err := signin.Begin(request)
	if err != nil {
		return nil, err
	}
	if err := signin.CheckPage(pending.URL); err != nil {
		return nil, &SignInError{err}
	}
	callback.Serve(pending.State)
	t.config.Trace(PageReady{URL: pending.URL, RedirectURI: callback.RedirectURI})
	waiting, cancel := context.WithTimeout(ctx, t.config.SignInTimeout)
	defer cancel()
	failed := make(chan error, 1)
	opened := make(chan struct{})
	go func() {
		defer close(opened)
		if err := t.config.Browser(waiting, pending.URL); err != nil {
			failed <- err
			cancel()
		}
	}()
	params, err := callback.Wait(waiting)
	if err != nil {
		cancel()
		<-opened
		select {
		case err := <-failed:
			return nil, &SignInError{err}
		default:
		}
		if ctx.Err() != nil {
			return nil, &SignInError{fmt.Errorf("interrupted while waiting for the browser: %w", context.Cause(ctx))}
		}
		return nil, &SignInError{ErrNoAnswer}
	}
	answer, err := pending.Read(params)
	if err != nil {
		return nil, &SignInError{err}
	}
	t.config.Trace(Answered{Issuer: params.Get("iss")})
	return answer, nil
}

func (t *Transport) tellIssued(token *grant.Token, refreshed bool) {
	issued := Issued{Scopes: token.Scopes, Renewable: token.Refresh != "", Refreshed: refreshed}
	if !token.Expiry.IsZero() {
		issued.Lifetime = token.Expiry.Sub(t.config.Now())
	}
	t.config.Trace(issued)
}

// asSignInError sorts errors: a refusal, or a way that is not open, is about the sign-in; anything else is about the network.
func asSignInError(err error) error {
	var token *grant.Error
	var refused *signin.RefusedError
	if errors.As(err, &token) {
		return &SignInError{&signin.RefusedError{Step: "token", Code: token.Code, Description: token.Description}}
	}
	if errors.As(err, &refused) || errors.Is(err, signin.ErrNoRegistration) {
		return &SignInError{err}
	}
	return err
}
