package store

import (
	"context"
	"errors"
	"time"
)

// A Record is one thing that is remembered.
type Record struct {
	Kind    string
	Key     string
	Value   []byte
	Version int64     // 0 for a record that is not stored yet
	Expires time.Time // whole seconds are kept; required
	// Source says who caused the record: a network, or a person. When a kind is full, the source
	// with the most records loses the one that expires first. So a source that makes many records
	// never pushes out those of others. Records without a source go last.
	Source string
	// Limit bounds the records of the kind that have a source, when one of them is created. Zero
	// means the store's own bound. It is not stored.
	Limit int
}

var (
	// ErrNotFound says that there is no such record, or that it has expired.
	ErrNotFound = errors.New("store: no such record")
	// ErrConflict says that somebody else has changed, created or deleted the record meanwhile.
	ErrConflict = errors.New("store: the record was changed meanwhile")
)

// MaxValue is the largest value that a store takes, in bytes.
const MaxValue = 256 << 10

// maxSource bounds the name of a source, in bytes.
const maxSource = 200

// A Store remembers records. It is safe for concurrent use. Errors other than the two above mean
// that the store cannot be reached or written; whoever asked then does not know, and must not act
// as if it did.
type Store interface {
	// Get returns a record, or ErrNotFound.
	Get(ctx context.Context, kind, key string) (Record, error)
	// Put stores a record and returns its new version. Version 0 creates it; any other has to be
	// the stored one. Otherwise it is ErrConflict. A kind that is full forgets records by the rule
	// of Record.Source.
	Put(ctx context.Context, record Record) (version int64, err error)
	// Take returns a record and removes it; of several takers one gets it, the others get
	// ErrNotFound.
	Take(ctx context.Context, kind, key string) (Record, error)
	// Delete removes a record of any version. One that is not there is not an error.
	Delete(ctx context.Context, kind, key string) error
	// Close ends the use of the store.
	Close() error
}

// Config says how much a store keeps and by which clock.
type Config struct {
	// MaxRecords bounds the records of each kind. Zero means 200,000.
	MaxRecords int
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// full reports whether a kind has to forget a record before another one is created, where it has so
// many and so many of them have a source.
func (c Config) full(created Record, records, sourced int) bool {
	most := 200_000
	if c.MaxRecords > 0 {
		most = c.MaxRecords
	}
	return records >= most || created.Source != "" && created.Limit > 0 && sourced >= created.Limit
}

func (c Config) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

func check(record Record) error {
	switch {
	case record.Kind == "" || record.Key == "":
		return errors.New("store: a record needs a kind and a key")
	case len(record.Source) > maxSource:
		return errors.New("store: the source is too long")
	case len(record.Value) > MaxValue:
		return errors.New("store: the value is too large")
	case record.Expires.IsZero():
		return errors.New("store: a record needs an expiry")
	}
	return nil
}
