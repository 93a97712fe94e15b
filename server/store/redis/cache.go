package redis

import (
	"bytes"
	"hash/maphash"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"mcpentra/server/store"
)

const (
	// maxCached bounds the records in memory, in bytes.
	maxCached = 16 << 20
	// cachedOverhead is what a record takes beside its texts and its value, in bytes.
	cachedOverhead = 400
)

type recordKey struct{ kind, key string }

// A cached record was the newest one at a time.
type cached struct {
	store.Record
	since time.Time
}

func (c cached) size() int {
	return len(c.Kind) + len(c.Key) + len(c.Source) + len(c.Group) + len(c.Value) + cachedOverhead
}

// A cache keeps records in memory for at most store.MaxStale.
type cache struct {
	mu      sync.Mutex
	seed    maphash.Seed
	writes  [1024]int // counts this process's writes, by hash of the record
	records *simplelru.LRU[recordKey, cached]
	size    int // bytes
}

func newCache() *cache {
	c := &cache{seed: maphash.MakeSeed()}
	// Only the size in bytes bounds the cache. NewLRU refuses only a number below 1.
	c.records, _ = simplelru.NewLRU(maxCached, func(_ recordKey, removed cached) { c.size -= removed.size() })
	return c
}

func (c *cache) counter(name recordKey) *int {
	return &c.writes[maphash.Comparable(c.seed, name)%uint64(len(c.writes))]
}

// get returns a record that is young enough. Otherwise the caller reads the record and passes it to
// keep, together with the number of writes.
func (c *cache) get(name recordKey, now, clock time.Time) (record store.Record, found bool, writes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	writes = *c.counter(name)
	kept, found := c.records.Get(name)
	if !found || now.Sub(kept.since) >= store.MaxStale || kept.Expires.Unix() <= clock.Unix() {
		return store.Record{}, false, writes
	}
	record = kept.Record
	record.Value = bytes.Clone(record.Value)
	return record, true, writes
}

// keep keeps a record that was read since a time. It drops the record if there was a write since
// get, because the record may be older than the write.
func (c *cache) keep(record store.Record, since time.Time, writes int) {
	name := recordKey{record.Kind, record.Key}
	record.Value = bytes.Clone(record.Value)
	c.mu.Lock()
	defer c.mu.Unlock()
	if *c.counter(name) != writes {
		return
	}
	made := cached{record, since}
	c.records.Remove(name)
	c.records.Add(name, made)
	c.size += made.size()
	for c.size > maxCached {
		c.records.RemoveOldest()
	}
}

// forget drops a record after this process may have changed it.
func (c *cache) forget(kind, key string) {
	name := recordKey{kind, key}
	c.mu.Lock()
	defer c.mu.Unlock()
	*c.counter(name)++
	c.records.Remove(name)
}

// forgetAll drops all records, after this process may have removed any of them.
func (c *cache) forgetAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.writes {
		c.writes[i]++
	}
	c.records.Purge()
}
