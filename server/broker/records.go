package broker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	fastjson "github.com/go-json-experiment/json"
	jsonv1 "github.com/go-json-experiment/json/v1"

	"mcpentra/server/store"
)

// Kinds of records.
const (
	kindClient      = "client"
	kindTransaction = "transaction"
	kindCode        = "code"
	kindGrant       = "grant"
	kindConsent     = "consent"
	kindSigningKey  = "signing key"
	kindDeployment  = "deployment"
	kindAssertion   = "assertion"
	kindDevice      = "device authorization"
	kindUserCode    = "user code"
	kindAppToken    = "app token"

	kindUpstreamLease = "upstream refresh"
	kindDemand        = "demand"
)

// limit bounds the records of a kind that strangers can cause without a sign-in, so that they
// cannot fill the store. A client with which a person has signed in does not count. Zero means the
// store's own bound.
func (s *sealedStore) limit(kind string) int {
	switch kind {
	case kindTransaction, kindCode, kindDevice, kindUserCode:
		return s.pending
	case kindClient:
		return 2 * s.pending
	}
	return 0
}

// comesOnce reports whether an earlier state of a record would let a used code, or a sign-in that
// has ended, be used again. A record that refuses something, such as the mark of a used assertion,
// has to survive instead.
func comesOnce(kind string) bool {
	switch kind {
	case kindTransaction, kindCode, kindDevice, kindUserCode, kindAppToken:
		return true
	}
	return false
}

// A sealedStore is a store whose values are JSON. Each value is encrypted for its kind and key.
type sealedStore struct {
	store  store.Store
	keys   *Keys
	random io.Reader
	now    func() time.Time
	// pending bounds the records of strangers (Limits.Pending).
	pending int

	restores epochReader
}

func placeOf(record store.Record) string { return record.Kind + "\x00" + record.Key }

func (s *sealedStore) get(ctx context.Context, kind, key string, into any) (store.Record, error) {
	record, err := s.find(ctx, kind, key)
	if err != nil {
		return record, err
	}
	return record, s.read(ctx, record, into)
}

// find returns a record whose value is still encrypted. If a mixed-up store answers with another
// record, read cannot decrypt its value, because that is encrypted for another place.
func (s *sealedStore) find(ctx context.Context, kind, key string) (store.Record, error) {
	record, err := s.store.Get(ctx, kind, key)
	record.Kind = kind
	record.Key = key
	return record, err
}

// findCached is find for a record that one process reads again and again. It may be up to
// store.MaxStale old.
func (s *sealedStore) findCached(ctx context.Context, kind, key string) (store.Record, error) {
	return s.findUnlessKnown(ctx, kind, key, 0)
}

// findUnlessKnown is findCached for a caller that has read a version of the record. If that is
// still the newest one, the record may come without its value.
func (s *sealedStore) findUnlessKnown(ctx context.Context, kind, key string, known int64) (store.Record, error) {
	record, err := s.store.GetCached(ctx, kind, key, known)
	record.Kind = kind
	record.Key = key
	return record, err
}

// read decrypts a record. It returns store.ErrNotFound for a grant or code that has ended because
// the store was restored from a backup.
func (s *sealedStore) read(ctx context.Context, record store.Record, into any) error {
	text, err := s.keys.open(record.Value, placeOf(record))
	if err != nil {
		return err
	}
	// This decoder takes half the time of encoding/json, which writes the records.
	if err := fastjson.Unmarshal(text, into, jsonv1.FormatDurationAsNano(true)); err != nil {
		return err
	}
	return s.checkVoid(ctx, into)
}

// getLasting is get for a record that is never written again. If an older key encrypted the record,
// it encrypts the record anew, so that the older key can be removed.
func (s *sealedStore) getLasting(ctx context.Context, kind, key string, into any) error {
	record, err := s.get(ctx, kind, key, into)
	if err != nil || s.keys.sealedByFirst(record.Value, s.now()) {
		return err
	}
	err = s.put(ctx, record, into)
	if errors.Is(err, store.ErrConflict) {
		return nil // another process has done it
	}
	return err
}

// create stores a new record. Source is the network or person that caused it, and empty for records
// of the server itself.
func (s *sealedStore) create(ctx context.Context, kind, key, source string, value any, expires time.Time) error {
	return s.put(ctx, store.Record{Kind: kind, Key: key, Source: source, Expires: expires}, value)
}

// put stores a value under the record's kind and key, if the record's version is the stored one.
func (s *sealedStore) put(ctx context.Context, record store.Record, value any) error {
	_, err := s.putAgain(ctx, record, value)
	return err
}

// putAgain is put for a record that will be put once more. It returns the version for that.
func (s *sealedStore) putAgain(ctx context.Context, record store.Record, value any) (version int64, err error) {
	record, err = s.seal(change{record, value})
	if err != nil {
		return 0, err
	}
	return s.store.Put(ctx, record)
}

// A change is a record with the value that it gets.
type change struct {
	record store.Record
	value  any
}

// putInOrder is put for several records, one after another. It stops at the first error. After
// store.ErrConflict, stored says how many it has stored.
func (s *sealedStore) putInOrder(ctx context.Context, changes ...change) (stored int, err error) {
	records := make([]store.Record, len(changes))
	for i, one := range changes {
		records[i], err = s.seal(one)
		if err != nil {
			return 0, err
		}
	}
	return store.PutInOrder(ctx, s.store, records...)
}

// seal returns the record of a change with the encrypted value.
func (s *sealedStore) seal(made change) (store.Record, error) {
	var text bytes.Buffer
	text.Grow(len(made.record.Value)) // an earlier value of the record is about as long
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // escaping would turn a stranger's & or < into six bytes
	if err := encoder.Encode(made.value); err != nil {
		return store.Record{}, fmt.Errorf("broker: %w", err)
	}
	record := made.record
	sealed, err := s.keys.seal(s.random, s.now(), text.Bytes(), placeOf(record))
	record.Value = sealed
	record.Limit = s.limit(record.Kind)
	record.Once = comesOnce(record.Kind)
	return record, err
}
