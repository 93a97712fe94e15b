package broker

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"mcpentra/server/store"
	"mcpentra/server/token"
)

// The signing keys are in two records. The record signingKeySet has all keys with their times. The
// record currentSigningKey has one key for programs of the version before, which know no other.
const (
	signingKeySet     = "set"
	currentSigningKey = "current"
)

// A signingSetRecord holds the signing keys in the store, the oldest first.
type signingSetRecord struct {
	Keys []scheduledKey `json:"keys"`
}

// A scheduledKey is a signing key with its times. The zero time means always.
type scheduledKey struct {
	PKCS8 []byte `json:"pkcs8"`
	// From is when the key begins to sign. It is published before that.
	From time.Time `json:"from,omitzero"`
	// Until is when the key's last token has expired.
	Until time.Time `json:"until,omitzero"`
}

func (k *scheduledKey) isOver(now time.Time) bool { return !k.Until.IsZero() && !now.Before(k.Until) }

// active returns the index of the key that signs, or -1.
func (r *signingSetRecord) active(now time.Time) int {
	for i := len(r.Keys) - 1; i >= 0; i-- {
		if key := &r.Keys[i]; !now.Before(key.From) && !key.isOver(now) {
			return i
		}
	}
	return -1
}

// A signingSet is one version of the signing keys.
type signingSet struct {
	version int64
	record  signingSetRecord
	keys    []*signingKey
}

// A signingSets remembers the last version of the signing keys.
type signingSets struct{ latest atomic.Pointer[signingSet] }

func newSigningSet(version int64, record signingSetRecord) (*signingSet, error) {
	set := &signingSet{version: version, record: record}
	for _, scheduled := range record.Keys {
		private, err := parseSigningKey(scheduled.PKCS8)
		if err != nil {
			return nil, err
		}
		key, err := newSigningKey(private)
		if err != nil {
			return nil, err
		}
		set.keys = append(set.keys, key)
	}
	if len(set.keys) == 0 {
		return nil, errors.New("broker: the store has no signing key")
	}
	return set, nil
}

// signer returns the key that signs.
func (s *signingSet) signer(now time.Time) *signingKey {
	if i := s.record.active(now); i >= 0 {
		return s.keys[i]
	}
	return s.keys[len(s.keys)-1]
}

// published returns the public keys that verify tokens.
func (s *signingSet) published(now time.Time) []jose.JSONWebKey {
	var public []jose.JSONWebKey
	for i, key := range s.keys {
		if !s.record.Keys[i].isOver(now) {
			public = append(public, key.public())
		}
	}
	return public
}

// currentSigningSet returns the signing keys. Another replica may have changed them up to
// store.MaxStale ago. While the store cannot be asked, the latest keys count: a token is accepted
// only if its grant can be read then.
func (b *Broker) currentSigningSet(ctx context.Context) *signingSet {
	latest := b.signing.latest.Load()
	if b.config.SigningKey != nil {
		return latest
	}
	record, err := b.records.findCached(ctx, kindSigningKey, signingKeySet)
	if err != nil || record.Version == latest.version {
		return latest
	}
	set, err := b.records.readSigningSet(record)
	if err != nil {
		b.log.ErrorContext(ctx, "the signing keys in the store cannot be read; the earlier ones stay", "error", err)
		return latest
	}
	b.signing.latest.Store(set)
	return set
}

func (s *sealedStore) readSigningSet(record store.Record) (*signingSet, error) {
	text, err := s.keys.open(record.Value, placeOf(record))
	if err != nil {
		return nil, err
	}
	var kept signingSetRecord
	if err := json.Unmarshal(text, &kept); err != nil {
		return nil, err
	}
	return newSigningSet(record.Version, kept)
}

// findSigningKey is the token.KeySource of the broker's own tokens.
func (b *Broker) findSigningKey(ctx context.Context, kid string, _ time.Time) ([]jose.JSONWebKey, error) {
	for _, key := range b.currentSigningSet(ctx).published(b.now()) {
		if key.KeyID == kid {
			return []jose.JSONWebKey{key}, nil
		}
	}
	return nil, token.ErrUnknownKey
}
