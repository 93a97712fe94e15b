package broker

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
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

// loadSigningKeys reads the configured key, or the keys in the store. A new store gets a new key.
func (b *Broker) loadSigningKeys(ctx context.Context) error {
	if b.config.SigningKey != nil {
		key, err := newSigningKey(b.config.SigningKey)
		if err != nil {
			return err
		}
		set := &signingSet{record: signingSetRecord{Keys: make([]scheduledKey, 1)}, keys: []*signingKey{key}}
		b.signing.latest.Store(set)
		return nil
	}
	record, err := b.storedSigningSet(ctx)
	if err != nil {
		return fmt.Errorf("broker: the signing key: %w", err)
	}
	set, err := b.records.readSigningSet(record)
	if err != nil {
		return fmt.Errorf("broker: the signing key: %w", err)
	}
	b.signing.latest.Store(set)
	return nil
}

// storedSigningSet returns the record of the keys, and makes it if it is missing. Two processes may
// do so at once.
func (b *Broker) storedSigningSet(ctx context.Context) (store.Record, error) {
	if err := b.createSigningKey(ctx); err != nil {
		return store.Record{}, err
	}
	var set signingSetRecord
	err := b.records.getLasting(ctx, kindSigningKey, signingKeySet, &set)
	if errors.Is(err, store.ErrNotFound) {
		var made store.Record
		made, set, err = b.records.firstSigningSet(ctx)
		if err != nil {
			return store.Record{}, err
		}
		made.Expires = lasting(b.now())
		err = b.records.put(ctx, made, set)
	}
	if err != nil && !errors.Is(err, store.ErrConflict) {
		return store.Record{}, err
	}
	return b.records.find(ctx, kindSigningKey, signingKeySet)
}

// createSigningKey stores a new key, unless another process has stored one.
func (b *Broker) createSigningKey(ctx context.Context) error {
	var kept signingKeyRecord
	err := b.records.getLasting(ctx, kindSigningKey, currentSigningKey, &kept)
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	text, _, err := makeSigningKey(b.config.Rand)
	if err != nil {
		return err
	}
	made := signingKeyRecord{PKCS8: text}
	err = b.records.create(ctx, kindSigningKey, currentSigningKey, "", made, lasting(b.now()))
	if errors.Is(err, store.ErrConflict) {
		return nil
	}
	return err
}

// handleKeys serves the public signing keys (RFC 7517).
func (b *Broker) handleKeys(w http.ResponseWriter, r *http.Request) {
	writeDocument(w, jose.JSONWebKeySet{Keys: b.currentSigningSet(r.Context()).published(b.now())})
}
