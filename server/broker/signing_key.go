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

	"github.com/go-jose/go-jose/v4"

	"mcpentra/server/store"
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

// A signingKeyRecord holds the signing key in the store.
type signingKeyRecord struct {
	PKCS8 []byte `json:"pkcs8"`
}

// loadSigningKey returns the configured key, or the key in the store. If there is neither, it makes
// one and stores it.
func (b *Broker) loadSigningKey(ctx context.Context) (*signingKey, error) {
	if b.config.SigningKey != nil {
		return newSigningKey(b.config.SigningKey)
	}
	var kept signingKeyRecord
	err := b.records.getLasting(ctx, kindSigningKey, "current", &kept)
	if errors.Is(err, store.ErrNotFound) {
		kept, err = b.createSigningKey(ctx)
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

// createSigningKey stores a new key. If another process has stored one meanwhile, it returns that
// one.
func (b *Broker) createSigningKey(ctx context.Context) (signingKeyRecord, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), b.config.Rand)
	if err != nil {
		return signingKeyRecord{}, err
	}
	text, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return signingKeyRecord{}, err
	}
	made := signingKeyRecord{PKCS8: text}
	err = b.records.create(ctx, kindSigningKey, "current", "", made, lasting(b.now()))
	if errors.Is(err, store.ErrConflict) {
		err = b.records.getLasting(ctx, kindSigningKey, "current", &made)
	}
	return made, err
}

// handleKeys serves the public signing key (RFC 7517).
func (b *Broker) handleKeys(w http.ResponseWriter, _ *http.Request) {
	writeDocument(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{b.signing.public()}})
}
