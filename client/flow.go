package client

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"mcpentra/client/discovery"
	"mcpentra/client/signin"
	"mcpentra/client/tokenrequest"
	"mcpentra/client/tokenstore"
)

// maxScopes bounds what a person is asked to approve, which a server can make longer with every
// step up.
const maxScopes = 100

// An attempt is one try to get a token that is not a refresh.
type attempt struct {
	issuer   *discovery.Issuer
	client   tokenrequest.Client
	resource string // the parameter, empty where there is none
	scopes   []string
	dpop     *tokenrequest.DPoP // nil for a bearer token
	shown    bool               // the person was asked
	answered string             // the issuer that the answer named, empty where it named none
}

// signIn goes through the whole flow and keeps the token in a record, which is the one of the
// Transport's place. The metadata is read anew each time, since the authorization server may be
// another one now.
func (t *Transport) signIn(
	ctx context.Context,
	challenge *discovery.Challenge,
	more []string,
	record *tokenstore.Record,
) error {
	resource, issuer, err := t.discover(ctx, challenge)
	if err != nil {
		return err
	}
	if err := t.checkClientIssuer(issuer.Named, record); err != nil {
		return err
	}
	entry := record.Entries[issuer.Named]
	a := &attempt{issuer: issuer}
	if a.scopes, err = t.chooseScopes(challenge, more, resource, issuer, entry); err != nil {
		return err
	}
	if resource != nil && !t.config.Entra.NoResource {
		a.resource = resource.Resource
	}
	if a.dpop, err = t.chooseDPoP(challenge, resource, issuer, &entry); err != nil {
		return err
	}
	before := entry.Client.ID
	token, err := t.obtain(ctx, a, &entry)
	if a.shown || err == nil {
		t.asked = slices.Concat(a.scopes, more)
		t.again = false
	}
	if err != nil {
		var refused *tokenrequest.Error
		if errors.As(err, &refused) && refused.Code == "invalid_client" && !entry.Given {
			entry.Client = tokenrequest.Client{}
			entry.RedirectURI = "" // the server has forgotten this registration
		}
		if before != "" && entry.Client.ID == "" {
			record.Put(issuer.Named, entry)
			err = errors.Join(err, t.config.Tokens.Save(context.WithoutCancel(ctx), t.place, *record))
		}
		return t.withHint(asSignInError(err, a.shown), a)
	}
	if err := t.checkTenant(a, token, &entry); err != nil {
		return err
	}
	if token.Scopes == nil {
		token.Scopes = a.scopes
	}
	entry.Token = *token
	entry.Resource = a.resource
	entry.Asked = a.scopes
	entry.TokenEndpoint = issuer.TokenEndpoint
	entry.RevocationEndpoint = issuer.RevocationEndpoint
	entry.SigningAlgs = issuer.SigningAlgs
	if !token.Bound {
		entry.DPoPKey = nil
	}
	return t.save(ctx, record, issuer.Named, entry, false)
}

// obtain gets a token in the way that is configured, and notes in the entry which client it is for.
func (t *Transport) obtain(ctx context.Context, a *attempt, entry *tokenstore.Entry) (*tokenrequest.Token, error) {
	switch {
	case t.config.Unattended != nil:
		entry.Client = tokenrequest.Client{}
		entry.Given = false
		if t.config.ClientID != "" {
			if err := t.preregistered(a.issuer, entry); err != nil {
				return nil, &SignInError{err}
			}
		}
		a.client = entry.Client
		return t.config.Unattended.token(ctx, t, a)
	case t.config.DeviceCode:
		return t.signInByDevice(ctx, a, entry)
	}
	return t.signInByPage(ctx, a, entry)
}

// checkClientIssuer keeps the ID and secret of a client that was registered beforehand from an
// authorization server that did not give them (MCP 2026-07-28, Authorization Server Binding).
func (t *Transport) checkClientIssuer(issuer string, record *tokenstore.Record) error {
	want := t.config.ClientIssuer
	if t.config.ClientID == "" || want == issuer {
		return nil
	}
	if want == "" {
		for other, entry := range record.Entries {
			if other != issuer && entry.Given && entry.Client.ID == t.config.ClientID {
				want = other
			}
		}
	}
	if want == "" {
		return nil
	}
	return &SignInError{
		fmt.Errorf(
			"the client ID %s belongs to %s, but the server now names the authorization server %s; if that is right, say so (ClientIssuer, MCP_CLIENT_ISSUER)",
			t.config.ClientID,
			want,
			issuer,
		),
	}
}

// chooseScopes says what to ask for: what the server names, and what was granted or asked for
// before, so that a step up does not take anything away (MCP 2026-07-28, Step-Up Authorization
// Flow).
func (t *Transport) chooseScopes(
	challenge *discovery.Challenge,
	more []string,
	resource *discovery.Resource,
	issuer *discovery.Issuer,
	entry tokenstore.Entry,
) ([]string, error) {
	if t.config.Unattended != nil && len(t.config.Scopes) > 0 {
		return t.config.Scopes, nil
	}
	challenged := ""
	if challenge != nil {
		challenged = challenge.Params["scope"]
	}
	scopes := signin.Scopes(challenged, resource, issuer)
	for _, one := range slices.Concat(entry.Token.Scopes, entry.Asked, more, t.config.Scopes) {
		if !slices.Contains(scopes, one) {
			scopes = append(scopes, one)
		}
	}
	if issuer.Tenants && !slices.Contains(scopes, "openid") {
		scopes = append(scopes, "openid") // without it there is no ID token, and nothing says which tenant it is
	}
	const offline = "offline_access"
	// A person should not have to come back: where the authorization server has a scope for that,
	// it is asked for (MCP 2026-07-28, Refresh Tokens).
	if t.config.Unattended == nil && len(scopes) > 0 && slices.Contains(issuer.Scopes, offline) &&
		!slices.Contains(scopes, offline) {
		scopes = append(scopes, offline)
	}
	if len(scopes) > maxScopes {
		return nil, &SignInError{
			fmt.Errorf(
				"the server has come to want %d scopes, and more than %d are asked of nobody",
				len(scopes),
				maxScopes,
			),
		}
	}
	return scopes, nil
}

// chooseDPoP decides whether the token is bound to a key, and to which: the one of the last token,
// or a new one.
func (t *Transport) chooseDPoP(
	challenge *discovery.Challenge, resource *discovery.Resource, issuer *discovery.Issuer, entry *tokenstore.Entry,
) (*tokenrequest.DPoP, error) {
	demanded := resource != nil && resource.DPoPRequired || challenge != nil && challenge.Scheme == "dpop"
	offered := slices.Contains(issuer.DPoPAlgs, tokenrequest.Algorithm)
	switch {
	case demanded && len(issuer.DPoPAlgs) > 0 && !offered:
		return nil, &SignInError{
			fmt.Errorf(
				"the server wants tokens that are bound to a key, and its authorization server does not do that with %s",
				tokenrequest.Algorithm,
			),
		}
	case !demanded && !(t.config.DPoP && offered):
		return nil, nil
	case len(entry.DPoPKey) > 0:
		return tokenrequest.ReadDPoP(entry.DPoPKey, t.config.Now)
	}
	fresh, err := tokenrequest.NewDPoP(t.config.Now)
	if err != nil {
		return nil, err
	}
	entry.DPoPKey, err = fresh.Key()
	return fresh, err
}

// endpoint is an issuer's token endpoint, for a client.
func (t *Transport) endpoint(issuer *discovery.Issuer, known tokenrequest.Client, dpop *tokenrequest.DPoP) *tokenrequest.Endpoint {
	return &tokenrequest.Endpoint{
		URL:         issuer.TokenEndpoint,
		Client:      known,
		Key:         t.config.ClientKey,
		Issuer:      issuer.Issuer,
		SigningAlgs: issuer.SigningAlgs,
		DPoP:        dpop,
		HTTPClient:  t.outbound,
		Now:         t.config.Now,
		Pause:       t.config.Pause,
	}
}

// discover finds the server's metadata and that of its authorization server, the first one named
// that is usable.
func (t *Transport) discover(
	ctx context.Context,
	challenge *discovery.Challenge,
) (*discovery.Resource, *discovery.Issuer, error) {
	fetcher := t.fetcher()
	resource, err := fetcher.FindResource(ctx, t.server, metadataAt(challenge))
	if errors.Is(err, discovery.ErrNoMetadata) {
		t.config.Trace(ResourceFound{})
		issuer, err := fetcher.FindLegacyIssuer(ctx, t.server)
		if err == nil {
			err = t.checkIssuer(issuer)
		}
		if err != nil {
			return nil, nil, refusedWithoutPKCE(err)
		}
		t.tellIssuer(issuer)
		return nil, issuer, nil
	}
	if err != nil {
		return nil, nil, err
	}
	t.config.Trace(
		ResourceFound{
			Location:             resource.Location,
			Resource:             resource.Resource,
			AuthorizationServers: resource.AuthorizationServers,
		},
	)
	var failures []error
	for _, one := range resource.AuthorizationServers {
		issuer, err := fetcher.FindIssuer(ctx, one, t.server)
		if err == nil {
			err = t.checkIssuer(issuer)
		}
		if err == nil {
			t.tellIssuer(issuer)
			return resource, issuer, nil
		}
		failures = append(failures, err)
		if errors.Is(err, discovery.ErrNoPKCE) || ctx.Err() != nil {
			break
		}
	}
	return nil, nil, refusedWithoutPKCE(errors.Join(failures...))
}

func (t *Transport) fetcher() *discovery.Fetcher {
	return &discovery.Fetcher{
		HTTPClient:      t.outbound,
		ProtocolVersion: t.config.ProtocolVersion,
		EntraTenants:    t.config.Entra.Tenants,
		IssuerRootSlash: t.config.Relax.IssuerRootSlash,
		ResourceAbove:   t.config.Relax.ResourceAbove,
	}
}

// metadataAt is the address of the protected resource metadata in a challenge, or "".
func metadataAt(challenge *discovery.Challenge) string {
	if challenge == nil {
		return ""
	}
	return challenge.Params["resource_metadata"]
}

// checkIssuer says whether an authorization server is good for a person with a browser. The other
// ways have no code that could be intercepted.
func (t *Transport) checkIssuer(issuer *discovery.Issuer) error {
	if t.config.Unattended != nil || t.config.DeviceCode {
		return nil
	}
	return issuer.CheckCodeFlow(t.config.Entra.UnadvertisedPKCE)
}

func refusedWithoutPKCE(err error) error {
	if errors.Is(err, discovery.ErrNoPKCE) {
		return &SignInError{err}
	}
	return err
}

func (t *Transport) tellIssuer(issuer *discovery.Issuer) {
	t.config.Trace(IssuerFound{
		Location:              issuer.Location,
		Issuer:                issuer.Issuer,
		AuthorizationEndpoint: issuer.AuthorizationEndpoint,
		TokenEndpoint:         issuer.TokenEndpoint,
	})
}

// asSignInError sorts errors: a refusal, or a way that is not open, is about the sign-in, and so is
// everything after the person was asked, who must not be asked again for it. Anything else is about
// the network.
func asSignInError(err error, shown bool) error {
	var token *tokenrequest.Error
	var refused *signin.RefusedError
	var already *SignInError
	switch {
	case errors.As(err, &token):
		return &SignInError{&signin.RefusedError{Step: "token", Code: token.Code, Description: token.Description}}
	case errors.As(err, &already):
		return err
	case errors.As(err, &refused), errors.Is(err, signin.ErrNoRegistration), errors.Is(err, tokenrequest.ErrExpired):
		return &SignInError{err}
	case shown:
		return &SignInError{fmt.Errorf("the sign-in was answered, but brought no token: %w", err)}
	}
	return err
}
