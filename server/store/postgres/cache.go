package postgres

import (
	"bytes"
	"context"
	"crypto/sha256"
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

// An id names a record in the cache and in notifications. It does not show the key.
type id [16]byte

func idOf(kind, key string) id {
	sum := sha256.Sum256([]byte(kind + "\x00" + key))
	return id(sum[:16])
}

// A cache keeps records in memory for at most store.MaxStale.
type cache struct {
	mu      sync.Mutex
	records *simplelru.LRU[id, entry]
	size    int // bytes
	loading map[id]*load
}

type entry struct {
	store.Record
	since time.Time // the record was the newest one then
}

// A load is a read that will be kept, unless the record was forgotten meanwhile.
type load struct {
	readers   int
	forgotten bool
}

func newCache() *cache {
	c := &cache{loading: map[id]*load{}}
	// Only the size in bytes bounds the cache. NewLRU refuses only a number below 1.
	c.records, _ = simplelru.NewLRU(maxCached, func(_ id, removed entry) { c.size -= removed.size() })
	return c
}

func (e entry) size() int {
	return len(e.Kind) + len(e.Key) + len(e.Source) + len(e.Group) + len(e.Value) + cachedOverhead
}

func (d *database) GetCached(ctx context.Context, kind, key string, _ int64) (store.Record, error) {
	if err := ctx.Err(); err != nil {
		return store.Record{}, d.explain(ctx, err)
	}
	// The age counts by the process's own clock: the store's clock may be set back.
	since := time.Now()
	name := idOf(kind, key)
	record, loading := d.cached.get(name, since, d.config.Time())
	if loading == nil {
		return record, nil
	}
	record, err := d.Get(ctx, kind, key)
	d.cached.keep(name, loading, entry{Record: record, since: since}, err == nil)
	return record, err
}

// get returns a record. If it returns a load instead, the caller reads the record and calls keep.
func (c *cache) get(name id, now, clock time.Time) (store.Record, *load) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.records.Get(name)
	if ok && now.Sub(found.since) < store.MaxStale && found.Expires.Unix() > clock.Unix() {
		record := found.Record
		record.Value = bytes.Clone(record.Value)
		return record, nil
	}
	loading := c.loading[name]
	if loading == nil {
		loading = &load{}
		c.loading[name] = loading
	}
	loading.readers++
	return store.Record{}, loading
}

// keep ends a load. It keeps the record unless it was forgotten since get: the record may be older
// than that.
func (c *cache) keep(name id, loaded *load, read entry, ok bool) {
	read.Value = bytes.Clone(read.Value)
	c.mu.Lock()
	defer c.mu.Unlock()
	loaded.readers--
	if loaded.readers == 0 && c.loading[name] == loaded {
		delete(c.loading, name)
	}
	if !ok || loaded.forgotten {
		return
	}
	c.records.Remove(name)
	c.records.Add(name, read)
	c.size += read.size()
	for c.size > maxCached {
		c.records.RemoveOldest()
	}
}

// forget drops a record after it may have changed.
func (c *cache) forget(name id) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.records.Remove(name)
	if loading := c.loading[name]; loading != nil {
		loading.forgotten = true
		delete(c.loading, name)
	}
}

// forgetAll drops all records.
func (c *cache) forgetAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.records.Purge()
	for name, loading := range c.loading {
		loading.forgotten = true
		delete(c.loading, name)
	}
}
