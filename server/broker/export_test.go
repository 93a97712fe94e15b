package broker

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"time"

	"mcpentra/server/identity"
	"mcpentra/server/store"
)

// MaintainOnce does the work of Maintain once.
func (b *Broker) MaintainOnce(ctx context.Context) error {
	return errors.Join(b.tidySigningKeys(ctx), b.maintain(ctx))
}

// RememberPerson stores the latest name of a person.
func (b *Broker) RememberPerson(ctx context.Context, person identity.Principal, username string) error {
	return b.rememberPerson(ctx, person, username)
}

// SealText encrypts the text of a value.
func SealText(keys *Keys, kind, key string, text []byte) ([]byte, error) {
	return keys.seal(rand.Reader, time.Time{}, text, placeOf(store.Record{Kind: kind, Key: key}))
}

// OpenText decrypts a record.
func OpenText(keys *Keys, record store.Record) ([]byte, error) {
	return keys.open(record.Value, placeOf(record))
}

// SigningKeyID returns the ID of a stored signing key.
func SigningKeyID(text []byte) (string, error) {
	var kept signingKeyRecord
	if err := json.Unmarshal(text, &kept); err != nil {
		return "", err
	}
	private, err := parseSigningKey(kept.PKCS8)
	if err != nil {
		return "", err
	}
	key, err := newSigningKey(private)
	if err != nil {
		return "", err
	}
	return key.id, nil
}
