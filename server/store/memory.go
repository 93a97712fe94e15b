package store

import (
	"bytes"
	"container/heap"
	"context"
	"sync"
	"time"
)

// NewMemory returns a store that forgets everything when the process ends.
func NewMemory(config Config) Store {
	return &memory{config: config, kinds: map[string]*shelf{}}
}

type memory struct {
	config Config
	mu     sync.Mutex
	kinds  map[string]*shelf
}

// A shelf holds the records of one kind, by key and by expiry.
type shelf struct {
	byKey  map[string]*item
	expiry expiryHeap
}

type item struct {
	Record
	index int
}

func (m *memory) Get(ctx context.Context, kind, key string) (Record, error) {
	if err := ctx.Err(); err != nil {
		return Record{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if found := m.shelf(kind).byKey[key]; found != nil {
		return found.copy(), nil
	}
	return Record{}, ErrNotFound
}

func (m *memory) Put(ctx context.Context, record Record) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := check(record); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	shelf := m.shelf(record.Kind)
	found := shelf.byKey[record.Key]
	if found == nil && record.Version != 0 || found != nil && found.Version != record.Version {
		return 0, ErrConflict
	}
	room := m.config.room(record)
	record.Version, record.Limit = record.Version+1, 0
	record.Value = bytes.Clone(record.Value)
	record.Expires = record.Expires.Truncate(time.Second)
	if found != nil {
		found.Record = record
		heap.Fix(&shelf.expiry, found.index)
		return record.Version, nil
	}
	for len(shelf.byKey) >= room {
		shelf.remove(shelf.expiry[0])
	}
	found = &item{Record: record}
	shelf.byKey[record.Key] = found
	heap.Push(&shelf.expiry, found)
	return record.Version, nil
}

func (m *memory) Take(ctx context.Context, kind, key string) (Record, error) {
	if err := ctx.Err(); err != nil {
		return Record{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	shelf := m.shelf(kind)
	found := shelf.byKey[key]
	if found == nil {
		return Record{}, ErrNotFound
	}
	shelf.remove(found)
	return found.copy(), nil
}

func (m *memory) Delete(ctx context.Context, kind, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	shelf := m.shelf(kind)
	if found := shelf.byKey[key]; found != nil {
		shelf.remove(found)
	}
	return nil
}

func (m *memory) Close() error { return nil }

// shelf returns the records of a kind, without those that have expired.
func (m *memory) shelf(kind string) *shelf {
	found := m.kinds[kind]
	if found == nil {
		found = &shelf{byKey: map[string]*item{}}
		m.kinds[kind] = found
	}
	now := m.config.now()
	for len(found.expiry) > 0 && !now.Before(found.expiry[0].Expires) {
		found.remove(found.expiry[0])
	}
	return found
}

func (s *shelf) remove(gone *item) {
	heap.Remove(&s.expiry, gone.index)
	delete(s.byKey, gone.Key)
}

func (i *item) copy() Record {
	record := i.Record
	record.Value = bytes.Clone(record.Value)
	return record
}

// An expiryHeap has the item that expires first at its top.
type expiryHeap []*item

func (h expiryHeap) Len() int           { return len(h) }
func (h expiryHeap) Less(i, j int) bool { return h[i].Expires.Before(h[j].Expires) }

func (h expiryHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *expiryHeap) Push(x any) {
	one := x.(*item)
	one.index = len(*h)
	*h = append(*h, one)
}

func (h *expiryHeap) Pop() any {
	last := len(*h) - 1
	one := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return one
}
