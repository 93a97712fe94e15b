package store

import (
	"bytes"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// maxRecent and maxRecentValue bound what is kept of the records that were read last: 16 MB in
	// all.
	maxRecent      = 1000
	maxRecentValue = 16 << 10
)

// recent are the records that were read last. They are what the file has, since nobody else can
// write it.
type recent struct {
	mu      sync.Mutex
	written int // how many times
	records *simplelru.LRU[place, Record]
}

// place is where a record is.
type place struct{ kind, key string }

func newRecent() *recent {
	records, _ := simplelru.NewLRU[place, Record](maxRecent, nil) // only a size below 1 is refused
	return &recent{records: records}
}

// get returns a record that has not expired, or else what keep has to be told of the record that is
// read instead.
func (r *recent) get(kind, key string, now time.Time) (found Record, there bool, written int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	found, there = r.records.Get(place{kind, key})
	if there && found.Expires.Unix() <= now.Unix() {
		r.records.Remove(place{kind, key})
		there = false
	}
	if there {
		found.Value = bytes.Clone(found.Value)
	}
	return found, there, r.written
}

// keep keeps a record that has been read, unless something was written meanwhile: it may be older
// than that.
func (r *recent) keep(record Record, written int) {
	if len(record.Value) > maxRecentValue {
		return
	}
	record.Value = bytes.Clone(record.Value)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.written == written {
		r.records.Add(place{record.Kind, record.Key}, record)
	}
}

// wrote is for when the record at a place has been written or removed, or may have been.
func (r *recent) wrote(kind, key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.written++
	r.records.Remove(place{kind, key})
}

// wroteMany is for when others have been.
func (r *recent) wroteMany() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.written++
	r.records.Purge()
}
