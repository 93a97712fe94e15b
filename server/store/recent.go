package store

import (
	"bytes"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// maxRecent bounds the records in memory, and maxRecentValue the size of each: 16 MB in all.
	maxRecent      = 1000
	maxRecentValue = 16 << 10
)

// recent keeps the records in memory that were read last. They equal the records in the file, since
// no other process can write it.
type recent struct {
	mu      sync.Mutex
	writes  int // counts the writes to the file
	records *simplelru.LRU[recordKey, Record]
}

type recordKey struct{ kind, key string }

func newRecent() *recent {
	records, _ := simplelru.NewLRU[recordKey, Record](maxRecent, nil) // it refuses only a size below 1
	return &recent{records: records}
}

// get returns a record that has not expired. Otherwise the caller reads the record from the
// file and passes it to keep, together with the number of writes.
func (r *recent) get(kind, key string, now time.Time) (record Record, found bool, writes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	record, found = r.records.Get(recordKey{kind, key})
	if found && record.Expires.Unix() <= now.Unix() {
		r.records.Remove(recordKey{kind, key})
		found = false
	}
	if found {
		record.Value = bytes.Clone(record.Value)
	}
	return record, found, r.writes
}

// keep keeps a record that was read from the file. It drops the record if there was a write since
// get, because the record may be older than the write.
func (r *recent) keep(record Record, writes int) {
	if len(record.Value) > maxRecentValue {
		return
	}
	record.Value = bytes.Clone(record.Value)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.writes == writes {
		r.records.Add(recordKey{record.Kind, record.Key}, record)
	}
}

// forget drops a record after the file may have changed it.
func (r *recent) forget(kind, key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writes++
	r.records.Remove(recordKey{kind, key})
}

// forgetAll drops all records after the file may have changed any of them.
func (r *recent) forgetAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writes++
	r.records.Purge()
}
