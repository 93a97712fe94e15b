package broker

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
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
	header  string // of the tokens, encoded
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
	header, err := json.Marshal(map[string]string{"alg": "ES256", "kid": key.id, "typ": "at+jwt"})
	if err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	key.header = base64.RawURLEncoding.EncodeToString(header)
	return key, nil
}

// sign returns a signed token (RFC 7515 section 3.1). It encodes the claims once and the header
// never. The library does so several times, which takes as long as the signature.
func (k *signingKey) sign(claims accessClaims) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("broker: %w", err)
	}
	token := append([]byte(k.header), '.')
	token = base64.RawURLEncoding.AppendEncode(token, payload)
	digest := sha256.Sum256(token)
	r, s, err := ecdsa.Sign(rand.Reader, k.private, digest[:])
	if err != nil {
		return "", fmt.Errorf("broker: %w", err)
	}
	var signature [64]byte // RFC 7518 section 3.4
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return string(base64.RawURLEncoding.AppendEncode(append(token, '.'), signature[:])), nil
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
