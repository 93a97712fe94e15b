package broker

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"mcpentra/server/store"
	"mcpentra/server/token"
)

const (
	// publishLead is how long a new signing key is published before it signs. Caches keep the JWKS
	// document for 300 seconds, and some keep it for longer than they should.
	publishLead = 10 * time.Minute
	// signingMargin covers clocks of replicas that differ.
	signingMargin = time.Minute
)

// A SigningRotation configures RotateSigningKey. Store and Keys are required.
type SigningRotation struct {
	Store store.Store
	Keys  *Keys
	// Emergency removes all other keys at once. All access tokens end, and clients refresh.
	Emergency bool
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
	// Rand is the source of the key. Nil means crypto/rand.
	Rand io.Reader
}

// A NewSigningKey is the result of RotateSigningKey.
type NewSigningKey struct {
	// ID is the key's "kid".
	ID string
	// From is when the key begins to sign.
	From time.Time
	// OldUntil is when the public key before it is no longer published.
	OldUntil time.Time
}

// ErrRotating says that the key of the last rotation does not sign yet.
var ErrRotating = errors.New("broker: the new key of the last rotation does not sign yet")

// RotateSigningKey adds a key that signs access tokens. The public key is published at once, and
// signs when every cache has it. The old public key stays until its last token has expired. Running
// brokers follow within store.MaxStale.
func RotateSigningKey(ctx context.Context, config SigningRotation) (*NewSigningKey, error) {
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Rand == nil {
		config.Rand = rand.Reader
	}
	records := &sealedStore{store: config.Store, keys: config.Keys, random: config.Rand, now: config.Now}
	for {
		made, err := records.rotateSigningKey(ctx, config.Emergency)
		if errors.Is(err, store.ErrConflict) && ctx.Err() == nil {
			continue // another process has changed the record
		}
		return made, err
	}
}

func (s *sealedStore) rotateSigningKey(ctx context.Context, emergency bool) (*NewSigningKey, error) {
	var set signingSetRecord
	record, err := s.get(ctx, kindSigningKey, signingKeySet, &set)
	if errors.Is(err, store.ErrNotFound) {
		record, set, err = s.firstSigningSet(ctx)
	}
	if err != nil {
		return nil, err
	}
	fresh, private, err := makeSigningKey(s.random)
	if err != nil {
		return nil, err
	}
	key, err := newSigningKey(private)
	if err != nil {
		return nil, err
	}
	made := &NewSigningKey{ID: key.id, From: s.now(), OldUntil: s.now()}
	if emergency {
		set.Keys = []scheduledKey{{PKCS8: fresh}}
	} else {
		made.From, made.OldUntil, err = set.schedule(fresh, s.now())
	}
	if err != nil {
		return nil, err
	}
	record.Expires = lasting(s.now())
	if err := s.put(ctx, record, set); err != nil {
		return nil, err
	}
	if emergency {
		err = s.keepCurrent(ctx, fresh)
	}
	return made, err
}

// firstSigningSet makes the set from the one key that earlier versions have stored.
func (s *sealedStore) firstSigningSet(ctx context.Context) (store.Record, signingSetRecord, error) {
	record := store.Record{Kind: kindSigningKey, Key: signingKeySet}
	var current signingKeyRecord
	_, err := s.get(ctx, kindSigningKey, currentSigningKey, &current)
	if errors.Is(err, store.ErrNotFound) {
		err = errors.New("broker: the store has no signing key yet: start the server with it first")
	}
	return record, signingSetRecord{Keys: []scheduledKey{{PKCS8: current.PKCS8}}}, err
}

// schedule adds a key. It gives the key before it an end.
func (r *signingSetRecord) schedule(fresh []byte, now time.Time) (from, oldUntil time.Time, err error) {
	r.Keys = slices.DeleteFunc(r.Keys, func(key scheduledKey) bool { return key.isOver(now) })
	last := len(r.Keys) - 1
	if last >= 0 && now.Before(r.Keys[last].From) {
		return from, oldUntil, fmt.Errorf("%w: wait until %s", ErrRotating,
			r.Keys[last].From.UTC().Format(time.RFC3339))
	}
	from = now.Add(publishLead)
	oldUntil = from.Add(accessTokenLifetime + token.AccessLeeway + signingMargin)
	for i := range r.Keys {
		if r.Keys[i].Until.IsZero() {
			r.Keys[i].Until = oldUntil
		}
	}
	r.Keys = append(r.Keys, scheduledKey{PKCS8: fresh, From: from})
	return from, oldUntil, nil
}

// makeSigningKey makes a private key, also in PKCS #8.
func makeSigningKey(random io.Reader) ([]byte, *ecdsa.PrivateKey, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), random)
	if err != nil {
		return nil, nil, err
	}
	text, err := x509.MarshalPKCS8PrivateKey(private)
	return text, private, err
}

func parseSigningKey(text []byte) (*ecdsa.PrivateKey, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(text)
	if err != nil {
		return nil, fmt.Errorf("broker: the signing key: %w", err)
	}
	private, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("broker: the signing key is a %T", parsed)
	}
	return private, nil
}

// keepCurrent writes the key that programs of the version before sign with.
func (s *sealedStore) keepCurrent(ctx context.Context, text []byte) error {
	for {
		var current signingKeyRecord
		record, err := s.get(ctx, kindSigningKey, currentSigningKey, &current)
		if errors.Is(err, store.ErrNotFound) {
			record = store.Record{Kind: kindSigningKey, Key: currentSigningKey}
		} else if err != nil {
			return err
		}
		if slices.Equal(current.PKCS8, text) {
			return nil
		}
		record.Expires = lasting(s.now())
		err = s.put(ctx, record, signingKeyRecord{PKCS8: text})
		if !errors.Is(err, store.ErrConflict) || ctx.Err() != nil {
			return err
		}
	}
}

// tidySigningKeys forgets keys whose last token has expired, and gives programs of the version
// before the key that signs now.
func (b *Broker) tidySigningKeys(ctx context.Context) error {
	if b.config.SigningKey != nil {
		return nil
	}
	var set signingSetRecord
	record, err := b.records.get(ctx, kindSigningKey, signingKeySet, &set)
	if err != nil {
		return err
	}
	now := b.now()
	if active := set.active(now); active >= 0 {
		err = b.records.keepCurrent(ctx, set.Keys[active].PKCS8)
	}
	before := len(set.Keys)
	set.Keys = slices.DeleteFunc(set.Keys, func(key scheduledKey) bool { return key.isOver(now) })
	if err != nil || len(set.Keys) == before || len(set.Keys) == 0 {
		return err
	}
	err = b.records.put(ctx, record, set)
	if errors.Is(err, store.ErrConflict) {
		return nil // another replica was faster
	}
	return err
}
