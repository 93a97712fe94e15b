package broker

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"mcpentra/server/broker/accesstoken"
	"mcpentra/server/identity"
	"mcpentra/server/store"
	"mcpentra/server/token"
)

// accessClaims are the claims of an access token (RFC 9068 section 2.2).
type accessClaims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	Expiry   int64  `json:"exp"`
	Issued   int64  `json:"iat"`
	ID       string `json:"jti"`
	accesstoken.Claims
}

var errUpstreamOver = errors.New("broker: entra's token has run out and was not renewed")

// accessToken signs an access token and returns its lifetime. The token does not outlive Entra's
// own token, which is Entra's latest statement about the person.
func (b *Broker) accessToken(
	ctx context.Context,
	grantID string,
	g *grant,
	scopes []string,
) (string, time.Duration, error) {
	lifetime := min(accessTokenLifetime, g.Upstream.Expiry.Sub(b.now())).Truncate(time.Second)
	if lifetime <= 0 {
		return "", 0, errUpstreamOver
	}
	signed, _, err := b.signToken(ctx, accessClaims{
		Subject:  subject(g.Principal),
		Audience: b.resourceOf(g.Scopes).URL,
		Claims: accesstoken.Claims{
			ClientID:    g.ClientID,
			Scope:       strings.Join(plainNames(scopes), " "),
			EntraIssuer: g.Principal.Issuer,
			TenantID:    g.Principal.TenantID,
			ObjectID:    g.Principal.ObjectID,
			Name:        g.Name,
			Username:    g.Username,
			ClientName:  g.ClientName,
			GrantID:     grantID,
		},
	}, lifetime)
	return signed, lifetime, err
}

// signToken signs an access token for the audience in its claims, and returns its ID.
func (b *Broker) signToken(
	ctx context.Context,
	claims accessClaims,
	lifetime time.Duration,
) (signed, id string, err error) {
	secret, err := b.secret()
	if err != nil {
		return "", "", err
	}
	now := b.now()
	claims.Issuer = b.config.Issuer
	claims.Expiry = now.Add(lifetime).Unix()
	claims.Issued = now.Unix()
	claims.ID = secret[:idLength]
	signed, err = b.currentSigningSet(ctx).signer(now).sign(claims)
	return signed, claims.ID, err
}

// subject returns the claim sub of a person's tokens.
func subject(person identity.Principal) string { return person.TenantID + "." + person.ObjectID }

func (b *Broker) newVerifier() *token.Verifier {
	return &token.Verifier{
		Issuer:       b.config.Issuer,
		Audiences:    b.resourceURLs(),
		Algorithms:   []string{"ES256"},
		Types:        []string{"at+jwt"},
		Keys:         b.findSigningKey,
		Limit:        token.NewLimit(),
		Now:          b.config.Now,
		ExpiryLeeway: token.AccessLeeway,
	}
}

// Verify checks an access token of the MCP endpoint, and asks the store each time whether its grant
// has ended. It refuses tokens for other resources. If another process ends the grant, Verify
// notices within store.MaxStale. It returns a *token.InvalidError, or an error that says that it
// cannot know now. The reason token.Expired means that the token has expired but the store knows no
// end of its grant, so a running call may continue. Do not change the caller.
func (b *Broker) Verify(ctx context.Context, raw string) (*identity.Caller, error) {
	known, err := b.verified.Verify(ctx, raw)
	if known != nil && known.audience != b.config.Resource {
		return nil, &token.InvalidError{Reason: token.WrongAudience, Seen: known.audience}
	}
	return b.readCaller(ctx, known, err)
}

// readCaller returns the caller of a token of any resource, if its grant has not ended. TokenErr is
// the error of verifying the token itself. Known is nil after most of these errors.
func (b *Broker) readCaller(ctx context.Context, known *knownCaller, tokenErr error) (*identity.Caller, error) {
	if known == nil {
		return nil, tokenErr
	}
	read := b.readGrant
	if known.Kind == identity.App {
		read = b.readApp
	}
	caller, grantErr := read(ctx, known)
	var ended *token.InvalidError
	switch {
	case errors.As(grantErr, &ended):
		return nil, grantErr
	case tokenErr != nil:
		return nil, tokenErr
	case grantErr != nil:
		return nil, grantErr
	}
	return caller, nil
}

// verifyAlone checks an access token without its grant. Do not change the caller.
func (b *Broker) verifyAlone(ctx context.Context, raw string) (*identity.Caller, error) {
	known, err := b.verified.Verify(ctx, raw)
	if err != nil {
		return nil, err // an expired token comes with its caller
	}
	return &known.Caller, nil
}

// A knownCaller is the cache's entry for a verified token: its claims, and the latest reading of
// its grant.
type knownCaller struct {
	identity.Caller
	audience string // the URL of the resource
	reading  atomic.Pointer[grantReading]
}

// A grantReading is the caller according to one version of the grant's record. It is current as
// long as the store has that version.
type grantReading struct {
	version int64
	rotated time.Time
	caller  identity.Caller
}

// readClaims reads the claims of a verified token.
func readClaims(verified *token.Claims) (*knownCaller, error) {
	caller, err := accesstoken.Read(verified)
	if err != nil {
		return nil, err
	}
	return &knownCaller{Caller: *caller, audience: verified.Audience[0]}, nil
}

// readGrant returns the caller according to the grant of a token, if the grant has not ended.
func (b *Broker) readGrant(ctx context.Context, known *knownCaller) (*identity.Caller, error) {
	reading := known.reading.Load()
	var version int64
	if reading != nil {
		version = reading.version
	}
	record, err := b.records.findUnlessKnown(ctx, kindGrant, known.GrantID, version)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, errGrantEnded()
	case err != nil:
		return nil, errStoreUnavailable(err)
	case reading != nil && version == record.Version:
		return b.ifNotVoid(ctx, reading)
	}
	var g grant
	switch err := b.records.read(ctx, record, &g); {
	case errors.Is(err, store.ErrNotFound):
		return nil, errGrantEnded()
	case err != nil:
		return nil, errStoreUnavailable(err)
	case g.ClientID != known.ClientID || g.Principal != known.Principal:
		return nil, errGrantEnded()
	case b.resourceOf(g.Scopes).URL != known.audience:
		return nil, errGrantEnded() // a version with one resource issued the token
	}
	reading = &grantReading{version: record.Version, rotated: g.Rotated, caller: known.Caller}
	reading.caller.Name = g.Name
	reading.caller.Username = g.Username
	reading.caller.Attributes = g.attributes()
	known.reading.Store(reading)
	return &reading.caller, nil
}

// ifNotVoid returns the caller of a grant that was read before, unless the store was restored
// since.
func (b *Broker) ifNotVoid(ctx context.Context, reading *grantReading) (*identity.Caller, error) {
	before, err := b.records.voidBefore(ctx)
	switch {
	case err != nil:
		return nil, errStoreUnavailable(err)
	case reading.rotated.Before(before):
		return nil, errGrantEnded()
	}
	return &reading.caller, nil
}

func errGrantEnded() error { return token.NewInvalidError("the grant has ended") }

// errStoreUnavailable says that a token cannot be judged because the store cannot be asked.
func errStoreUnavailable(err error) error {
	return &token.UnavailableError{RetryAfter: 5 * time.Second, Err: err}
}
