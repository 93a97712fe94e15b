package broker

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"mcpentra/server/entra"
	"mcpentra/server/store"
	"mcpentra/server/token"
)

// A signingKey signs access tokens (RFC 9068) with ES256.
type signingKey struct {
	private *ecdsa.PrivateKey
	id      string
	signer  jose.Signer
}

func newSigningKey(private *ecdsa.PrivateKey) (*signingKey, error) {
	if private.Curve != elliptic.P256() {
		return nil, fmt.Errorf("broker: want a P-256 signing key, got %s", private.Curve.Params().Name)
	}
	public := jose.JSONWebKey{Key: &private.PublicKey}
	sum, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	key := &signingKey{private: private, id: base64.RawURLEncoding.EncodeToString(sum)}
	key.signer, err = jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: private, KeyID: key.id}},
		(&jose.SignerOptions{}).WithType("at+jwt"),
	)
	if err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	return key, nil
}

func (k *signingKey) public() jose.JSONWebKey {
	return jose.JSONWebKey{Key: &k.private.PublicKey, KeyID: k.id, Algorithm: "ES256", Use: "sig"}
}

// loadSigningKey takes the configured key, or the one in the store, or makes one there. Of several
// processes that make one at once, one wins.
func (b *Broker) loadSigningKey(ctx context.Context) (*signingKey, error) {
	if b.config.SigningKey != nil {
		return newSigningKey(b.config.SigningKey)
	}
	var kept struct {
		PKCS8 []byte `json:"pkcs8"`
	}
	err := b.records.getLasting(ctx, kindSigningKey, "current", &kept)
	if errors.Is(err, store.ErrNotFound) {
		var made *ecdsa.PrivateKey
		if made, err = ecdsa.GenerateKey(elliptic.P256(), b.config.Rand); err != nil {
			return nil, fmt.Errorf("broker: a signing key: %w", err)
		}
		if kept.PKCS8, err = x509.MarshalPKCS8PrivateKey(made); err != nil {
			return nil, fmt.Errorf("broker: a signing key: %w", err)
		}
		err = b.records.create(ctx, kindSigningKey, "current", "", kept, b.now().AddDate(100, 0, 0))
		if errors.Is(err, store.ErrConflict) {
			err = b.records.getLasting(ctx, kindSigningKey, "current", &kept)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("broker: the signing key: %w", err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(kept.PKCS8)
	if err != nil {
		return nil, fmt.Errorf("broker: the signing key: %w", err)
	}
	private, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("broker: the signing key is a %T", parsed)
	}
	return newSigningKey(private)
}

// accessClaims are the claims of an access token (RFC 9068 section 2.2).
type accessClaims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	Expiry   int64  `json:"exp"`
	Issued   int64  `json:"iat"`
	ID       string `json:"jti"`
	callerClaims
}

// callerClaims are those that package token does not read: what the tools are told of the caller.
type callerClaims struct {
	ClientID string `json:"client_id"`
	Scope    string `json:"scope"`

	EntraIssuer string `json:"entra_iss"`
	TenantID    string `json:"tid"`
	ObjectID    string `json:"oid"`
	Name        string `json:"name,omitempty"`
	Username    string `json:"preferred_username,omitempty"`
	ClientName  string `json:"client_name,omitempty"`
	GrantID     string `json:"grant"`
}

// accessToken signs one, and returns for how long it is good: no longer than Entra's last word on
// the person, which is its own token.
func (b *Broker) accessToken(grantID string, g *grant, scopes []string) (string, time.Duration, error) {
	id, err := b.secret()
	if err != nil {
		return "", 0, err
	}
	now := b.now()
	lifetime := min(accessTokenLifetime, g.Upstream.Expiry.Sub(now)).Truncate(time.Second)
	if lifetime <= 0 {
		return "", 0, errUpstreamOver
	}
	signed, err := jwt.Signed(b.signing.signer).Claims(accessClaims{
		Issuer:   b.config.Issuer,
		Subject:  g.Principal.subject(),
		Audience: b.config.Resource,
		Expiry:   now.Add(lifetime).Unix(),
		Issued:   now.Unix(),
		ID:       id[:22],
		callerClaims: callerClaims{
			ClientID:    g.ClientID,
			Scope:       strings.Join(scopes, " "),
			EntraIssuer: g.Principal.Issuer,
			TenantID:    g.Principal.TenantID,
			ObjectID:    g.Principal.ObjectID,
			Name:        g.Name,
			Username:    g.Username,
			ClientName:  g.ClientName,
			GrantID:     grantID,
		},
	}).Serialize()
	return signed, lifetime, err
}

var errUpstreamOver = errors.New("broker: entra's token has run out and was not renewed")

// A Caller is what a verified access token and its grant say. Names and attributes are those of
// Entra's last ID token.
type Caller struct {
	Principal Principal
	entra.Attributes
	Name, Username       string
	ClientID, ClientName string
	GrantID, TokenID     string
	Scopes               []string
	Issued, Expiry       time.Time
	// GoodUntil is when the token is refused from: its expiry and the leeway.
	GoodUntil time.Time
}

// Verify checks an access token and asks the store each time whether its grant still stands. Its
// error is a
// *token.InvalidError, or says that this cannot be known now. The reason token.Expired means that the grant still
// stands, as far as the store can tell, and that a running call may go on. The caller must not be
// changed.
func (b *Broker) Verify(ctx context.Context, raw string) (*Caller, error) {
	known, tokenErr := b.verified.Verify(ctx, raw)
	if known == nil {
		return nil, tokenErr
	}
	caller, grantErr := b.readGrant(ctx, known)
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

// readGrant asks the store whether the grant of a token still stands, and for what it says of the
// caller.
func (b *Broker) readGrant(ctx context.Context, known *knownCaller) (*Caller, error) {
	record, err := b.records.store.Get(ctx, kindGrant, known.GrantID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, errGrantGone()
	case err != nil:
		return nil, storeAway(err)
	}
	if last := known.last.Load(); last != nil && last.version == record.Version {
		return &last.caller, nil
	}
	var g grant
	switch err := b.records.read(record, &g); {
	case err != nil:
		return nil, storeAway(err)
	case g.ClientID != known.ClientID || g.Principal != known.Principal:
		return nil, errGrantGone()
	}
	reading := &grantReading{version: record.Version, caller: known.Caller}
	reading.caller.Name = g.Name
	reading.caller.Username = g.Username
	reading.caller.Attributes = g.attributes()
	known.last.Store(reading)
	return &reading.caller, nil
}

// handleKeys serves the public signing key (RFC 7517).
func (b *Broker) handleKeys(w http.ResponseWriter, _ *http.Request) {
	writeDocument(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{b.signing.public()}})
}
