package store

import (
	"bytes"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// maxRecent bounds the memory of the records in bytes, and maxRecentValue the value of each.
	maxRecent      = 10_752 << 10
	maxRecentValue = 64 << 10
	// recentOverhead is the memory of a record without its value and names, in bytes.
	recentOverhead = 400
)

// recent keeps the records in memory that were read or written last. They equal the records in the
// file, since no other process can write it. Only a goroutine that has the turn changes them.
type recent struct {
	mu      sync.Mutex
	size    int // bytes
	records *simplelru.LRU[recordKey, Record]
}

type recordKey struct{ kind, key string }

func newRecent() *recent {
	r := &recent{}
	dropped := func(_ recordKey, record Record) { r.size -= sizeInMemory(record) }
	// It refuses only a size below 1.
	r.records, _ = simplelru.NewLRU(maxRecent/recentOverhead, dropped)
	return r
}

func sizeInMemory(record Record) int {
	return recentOverhead + cap(record.Value) + len(record.Key) + len(record.Source) + len(record.Group)
}

// get returns a record that has not expired.
func (r *recent) get(kind, key string, now time.Time) (Record, bool) {
	r.mu.Lock()
	record, found := r.records.Get(recordKey{kind, key})
	r.mu.Unlock()
	if !found || record.Expires.Unix() <= now.Unix() {
		return Record{}, false
	}
	record.Value = bytes.Clone(record.Value) // the value in memory never changes
	return record, true
}

// keep keeps a record that was read from the file.
func (r *recent) keep(record Record) {
	record.Value = bytes.Clone(record.Value)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.add(record)
}

// apply follows the changes of a transaction that is on disk. It keeps the values.
func (r *recent) apply(changes []change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, change := range changes {
		r.records.Remove(recordKey{change.record.Kind, change.record.Key})
		if !change.removed {
			r.add(change.record)
		}
	}
}

func (r *recent) add(record Record) {
	if len(record.Value) > maxRecentValue {
		return
	}
	key := recordKey{record.Kind, record.Key}
	r.records.Remove(key)
	r.size += sizeInMemory(record)
	r.records.Add(key, record)
	for r.size > maxRecent {
		r.records.RemoveOldest()
	}
}

func (r *recent) forgetAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.records.Purge()
}
