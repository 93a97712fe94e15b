package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A Record is one value of a store.
type Record struct {
	Kind    string
	Key     string
	Value   []byte
	Version int64     // 0 for a record that is not stored yet
	Expires time.Time // whole seconds are kept; required
	// Source names the network or person that caused the record. When a kind is full, the source
	// with the most records loses the record that expires first. So a source with many records
	// never pushes out records of other sources. Records without a source go last.
	Source string
	// Group names what the record belongs to besides its source, such as a client. It does not
	// decide which record a full kind loses.
	Group string
	// Limit bounds the records of the kind that have a source. It counts when a record with a
	// source is created, and is not stored. Zero means the store's own bound.
	Limit int
	// Once marks a record that must not come back after it was taken, changed or deleted. A store
	// that can lose its last writes forgets these records when another server takes over, or when
	// its server restarts. Stores that lose no write ignore the mark. No read returns it.
	Once bool
}

var (
	// ErrNotFound says that the store has no record under the kind and key, or that it has expired.
	ErrNotFound = errors.New("store: the record does not exist")
	// ErrConflict says that another caller has changed, created or deleted the record meanwhile.
	ErrConflict = errors.New("store: the record was changed meanwhile")
)

// MaxValue is the largest value that a store takes, in bytes.
const MaxValue = 256 << 10

// MaxList is the largest number of records that List returns.
const MaxList = 1000

// MaxStale is the largest age of what GetCached returns.
const MaxStale = time.Second

// maxSource bounds the name of a source and the name of a group, in bytes.
const maxSource = 200

// A Query selects records of one kind.
type Query struct {
	Kind string
	// Source and Group select the records that have this source and this group. Empty selects all.
	Source string
	Group  string
	// After is the key of the last record of the page before. Empty means the first page.
	After string
	// Limit bounds the page. Zero means 100. More than MaxList means MaxList.
	Limit int
}

// PageSize returns the bound of a page, from 1 to MaxList.
func (q Query) PageSize() int {
	if q.Limit <= 0 {
		return 100
	}
	return min(q.Limit, MaxList)
}

// A Store keeps records. It is safe for concurrent use, and several processes may share one store
// unless the implementation says otherwise. All of them see every change at once, except in
// GetCached. Errors other than ErrNotFound and
// ErrConflict mean that the store cannot be reached or written. The caller then does not know
// whether the record exists, and must not act as if it did.
type Store interface {
	// Get returns a record, or ErrNotFound.
	Get(ctx context.Context, kind, key string) (Record, error)
	// GetCached is Get for callers that read one record again and again. It may return the record
	// as it was up to MaxStale ago, if another process has changed or deleted it meanwhile. It
	// always shows the changes of this process. Do not base a Put on it. Known is a version whose
	// value the caller has, or 0. If the record has that version, GetCached may return its version
	// and expiry alone.
	GetCached(ctx context.Context, kind, key string, known int64) (Record, error)
	// Put stores a record and returns its new version. Version 0 creates the record. Any other
	// version has to be the stored one; otherwise Put returns ErrConflict. A kind that is full
	// forgets records by the rule of Record.Source.
	Put(ctx context.Context, record Record) (version int64, err error)
	// Take returns a record and removes it. One of several concurrent callers gets it, and the
	// others get ErrNotFound.
	Take(ctx context.Context, kind, key string) (Record, error)
	// Delete removes a record of any version. A missing record is not an error.
	Delete(ctx context.Context, kind, key string) error
	// List returns a page of records, in the byte order of their keys. It returns a shorter page
	// only at the end. Records that are created or deleted between two pages may be missing.
	List(ctx context.Context, query Query) ([]Record, error)
	// Kinds returns the kinds that have records, in byte order. Kinds whose records have all
	// expired may be among them.
	Kinds(ctx context.Context) ([]string, error)
	// Close ends the use of the store.
	Close() error
}

// A Config configures a store.
type Config struct {
	// MaxRecords bounds the records of each kind. Zero means 200,000.
	MaxRecords int
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// Full reports whether a kind has to forget a record before another one is created. Records counts
// the records of the kind, and sourced those among them that have a source.
func (c Config) Full(created Record, records, sourced int) bool {
	isLimited := created.Source != "" && created.Limit > 0
	return records >= c.Most() || isLimited && sourced >= created.Limit
}

// Most returns how many records of a kind the store keeps.
func (c Config) Most() int {
	if c.MaxRecords > 0 {
		return c.MaxRecords
	}
	return 200_000
}

// Time returns the time of the store's clock.
func (c Config) Time() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

// Check reports why a store refuses to keep the record, or nil.
func (r Record) Check() error {
	switch {
	case r.Kind == "" || r.Key == "":
		return errors.New("store: a record needs a kind and a key")
	case len(r.Source) > maxSource || len(r.Group) > maxSource:
		return fmt.Errorf("store: want a source and a group of at most %d bytes, got %d and %d",
			maxSource, len(r.Source), len(r.Group))
	case len(r.Value) > MaxValue:
		return errors.New("store: the value is too large")
	case r.Expires.IsZero():
		return errors.New("store: a record needs an expiry")
	}
	return nil
}
