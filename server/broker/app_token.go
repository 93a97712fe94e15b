package broker

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"mcpentra/server/broker/accesstoken"
	"mcpentra/server/identity"
	"mcpentra/server/store"
	"mcpentra/server/token"
)

// issueToApp issues an access token to a client that calls for itself (RFC 6749 section 4.4). The
// operator has registered the client and listed its scopes. There is no person, no grant and no
// refresh token.
func (b *Broker) issueToApp(ctx context.Context, found *client, form url.Values) (*tokenResponse, *protocolError) {
	asked, problem := b.selectResource(form["resource"])
	if problem != nil {
		return nil, problem
	}
	if !slices.Contains(found.ownResources, asked.URL) {
		return nil, badRequest("invalid_target", "the operator of this server did not give the client this resource").
			saw("resource", asked.URL).saw("registered", strings.Join(found.ownResources, " ")).
			allowedBy(settingClientFile)
	}
	scopes, problem := b.appScopes(found.ownScopes, form.Get("scope"), asked)
	if problem != nil {
		return nil, problem
	}
	if len(scopes) == 0 {
		return nil, badRequest("invalid_scope", "the operator of this server gave the client none of these scopes").
			saw("scope", form.Get("scope")).saw("registered", strings.Join(found.ownScopes, " ")).
			allowedBy(settingClientFile)
	}
	if !b.spendOfClient(appTokens, &spender{clientID: found.ID, isProven: true}, "") {
		return nil, tooMany("too many tokens for this client: use a token until it expires").
			allowedBy(settingClientLimit)
	}
	signed, id, err := b.signToken(ctx, accessClaims{
		Subject:  found.ID,
		Audience: asked.URL,
		Claims: accesstoken.Claims{
			ClientID:    found.ID,
			Scope:       strings.Join(scopes, " "),
			EntraIssuer: b.config.Issuer,
			ObjectID:    found.ID,
			ClientName:  found.Name,
			Kind:        identity.App,
		},
	}, accessTokenLifetime)
	if err != nil {
		return nil, b.storeProblem(ctx, err)
	}
	source := b.clientGroup(found.ID)
	record := appTokenRecord{ClientID: found.ID, Issued: b.now()}
	expires := b.now().Add(accessTokenLifetime + token.AccessLeeway)
	if err := b.records.create(ctx, kindAppToken, hashed(id), source, record, expires); err != nil {
		return nil, b.storeProblem(ctx, err)
	}
	b.log.InfoContext(ctx, "token issued to an application",
		"client", found.ID,
		"scopes", scopes,
		"resource", asked.URL)
	return &tokenResponse{
		AccessToken: signed,
		TokenType:   "Bearer",
		ExpiresIn:   int(accessTokenLifetime.Seconds()),
		Scope:       strings.Join(scopes, " "),
	}, nil
}

// An appTokenRecord belongs to an access token that has no grant. The token counts as long as the
// record exists.
type appTokenRecord struct {
	ClientID string    `json:"client_id"`
	Issued   time.Time `json:"issued"`
}

func (r *appTokenRecord) issuedAt() time.Time { return r.Issued }

// appScopes returns the scopes of a client at a resource that a parameter asks for, or all of them
// without one. It refuses a scope that only another resource has.
func (b *Broker) appScopes(own []string, parameter string, r *resource) ([]string, *protocolError) {
	isElsewhere := func(name string) bool { return b.belongsElsewhere(name, r) }
	asked := strings.Fields(parameter)
	if len(asked) == 0 {
		return slices.DeleteFunc(slices.Clone(own), isElsewhere), nil
	}
	if i := slices.IndexFunc(asked, isElsewhere); i >= 0 {
		return nil, b.foreignScope(asked[i], r)
	}
	return sameScopes(own, asked), nil
}

// sameScopes returns the scopes that are in both lists, each once.
func sameScopes(own, asked []string) []string {
	var scopes []string
	for _, name := range asked {
		if slices.Contains(own, name) && !slices.Contains(scopes, name) {
			scopes = append(scopes, name)
		}
	}
	return scopes
}

// readApp returns the caller of an application's token. The token ends when its client revokes it,
// and when the operator takes the client, its grant type, its resource or all of the token's scopes
// away.
func (b *Broker) readApp(ctx context.Context, known *knownCaller) (*identity.Caller, error) {
	found := b.file.find(ctx, known.ClientID)
	if found == nil || !found.mayUse(appGrant) || !slices.Contains(found.ownResources, known.audience) {
		return nil, errAppEnded()
	}
	var issued appTokenRecord
	record, err := b.records.findCached(ctx, kindAppToken, hashed(known.TokenID))
	if err == nil {
		err = b.records.read(ctx, record, &issued)
	}
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && issued.ClientID != known.ClientID:
		return nil, errAppEnded()
	case err != nil:
		return nil, errStoreUnavailable(err)
	}
	caller := known.Caller
	caller.ClientName = found.Name
	caller.Scopes = sameScopes(found.ownScopes, known.Scopes)
	if len(caller.Scopes) == 0 {
		return nil, errAppEnded()
	}
	return &caller, nil
}

func errAppEnded() error { return token.NewInvalidError("the access of the application has ended") }

// revokeAppToken ends an application's token if it belongs to the client.
func (b *Broker) revokeAppToken(ctx context.Context, found *client, caller *identity.Caller) error {
	if caller.ClientID != found.ID {
		return nil
	}
	b.log.InfoContext(ctx, "token revoked by its application", "client", found.ID)
	return b.config.Store.Delete(ctx, kindAppToken, hashed(caller.TokenID))
}
