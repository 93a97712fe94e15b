package store

import (
	"bytes"
	"sync"
	"time"
)

const (
	// maxRecent bounds the memory of the records in bytes, and maxRecentValue the value of each.
	maxRecent      = 3584 << 10
	maxRecentValue = 64 << 10
	// recentOverhead is the memory of a record without its value and names, in bytes.
	recentOverhead = 400
	// maxVersions bounds the versions that are kept without their records. Each takes about 150
	// bytes. The guard remembers as many tokens.
	maxVersions = 10_000
)

// recent keeps records in memory that were read or written, and the versions of those that only
// GetCached reads. They equal the records in the file, since no other process can write it. Only a
// goroutine that has the turn changes them.
//
// A full memory forgets any record, not the one that was used longest ago. Clients refresh their
// grants in turn. If the grants do not all fit, each would be forgotten shortly before its turn.
type recent struct {
	mu       sync.RWMutex
	size     int // bytes
	records  map[recordKey]Record
	versions map[recordKey]recordVersion
}

type recordKey struct{ kind, key string }

// A recordVersion is what GetCached returns of a record whose value the caller has.
type recordVersion struct{ version, expires int64 }

func newRecent() *recent {
	return &recent{records: map[recordKey]Record{}, versions: map[recordKey]recordVersion{}}
}

func sizeInMemory(record Record) int {
	return recentOverhead + cap(record.Value) + len(record.Key) + len(record.Source) + len(record.Group)
}

// get returns a record that has not expired.
func (r *recent) get(kind, key string, now time.Time) (Record, bool) {
	r.mu.RLock()
	record, found := r.records[recordKey{kind, key}]
	r.mu.RUnlock()
	if !found || record.Expires.Unix() <= now.Unix() {
		return Record{}, false
	}
	record.Value = bytes.Clone(record.Value) // the value in memory never changes
	return record, true
}

// find is get for a caller that has the value of a version. If the record has that version, it
// returns the version and the expiry alone.
func (r *recent) find(kind, key string, known int64, now time.Time) (Record, bool) {
	r.mu.RLock()
	kept, found := r.versions[recordKey{kind, key}]
	r.mu.RUnlock()
	if !found || kept.version != known {
		return r.get(kind, key, now)
	}
	if kept.expires <= now.Unix() {
		return Record{}, false
	}
	return Record{Kind: kind, Key: key, Version: known, Expires: time.Unix(kept.expires, 0)}, true
}

// keep keeps a record that was read from the file.
func (r *recent) keep(record Record) {
	record.Value = bytes.Clone(record.Value)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.add(record)
}

// keepVersion keeps the version of a record that was read from the file.
func (r *recent) keepVersion(record Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.addVersion(record)
}

// apply follows the changes of a transaction that is on disk. It keeps the values.
func (r *recent) apply(changes []change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, change := range changes {
		key := recordKey{change.record.Kind, change.record.Key}
		if change.removed {
			r.remove(key)
			delete(r.versions, key)
			continue
		}
		r.add(change.record)
		if _, found := r.versions[key]; found {
			r.addVersion(change.record)
		}
	}
}

func (r *recent) add(record Record) {
	key := recordKey{record.Kind, record.Key}
	r.remove(key)
	if len(record.Value) > maxRecentValue {
		return
	}
	r.size += sizeInMemory(record)
	r.records[key] = record
	for other := range r.records { // in random order
		if r.size <= maxRecent {
			break
		}
		if other != key {
			r.remove(other)
		}
	}
}

func (r *recent) addVersion(record Record) {
	key := recordKey{record.Kind, record.Key}
	r.versions[key] = recordVersion{version: record.Version, expires: record.Expires.Unix()}
	for other := range r.versions { // in random order
		if len(r.versions) <= maxVersions {
			break
		}
		if other != key {
			delete(r.versions, other)
		}
	}
}

func (r *recent) remove(key recordKey) {
	if record, found := r.records[key]; found {
		r.size -= sizeInMemory(record)
		delete(r.records, key)
	}
}

func (r *recent) forgetAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.size = 0
	clear(r.records)
	clear(r.versions)
}
