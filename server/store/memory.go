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
	if found != nil {
		shelf.remove(found)
	} else {
		for m.config.full(record, len(shelf.byKey), shelf.sourced()) {
			shelf.remove(shelf.next())
		}
	}
	record.Version, record.Limit = record.Version+1, 0
	record.Value = bytes.Clone(record.Value)
	record.Expires = record.Expires.Truncate(time.Second)
	shelf.add(record)
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
		found = &shelf{byKey: map[string]*item{}, holdings: map[string]*holding{}, expiry: items{slot: ofShelf}}
		m.kinds[kind] = found
	}
	now := m.config.now()
	for found.expiry.Len() > 0 && !now.Before(found.expiry.all[0].Expires) {
		found.remove(found.expiry.all[0])
	}
	return found
}

// A shelf holds the records of one kind: by key, by expiry, and by source.
type shelf struct {
	byKey    map[string]*item
	expiry   items
	holdings map[string]*holding
	largest  largest
}

// An item is a record, and where it stands in the two heaps that it is in.
type item struct {
	Record
	at [2]int
}

// The heaps that an item is in.
const (
	ofShelf  = 0
	ofSource = 1
)

// A holding is what one source has on a shelf.
type holding struct {
	records items
	at      int
}

// sourced counts the records that have a source.
func (s *shelf) sourced() int {
	if without := s.holdings[""]; without != nil {
		return len(s.byKey) - without.records.Len()
	}
	return len(s.byKey)
}

// next is the record that a full shelf loses.
func (s *shelf) next() *item {
	if len(s.largest) > 0 {
		return s.largest[0].records.all[0]
	}
	return s.expiry.all[0]
}

func (s *shelf) add(record Record) {
	added := &item{Record: record}
	s.byKey[record.Key] = added
	heap.Push(&s.expiry, added)
	held := s.holdings[record.Source]
	if held == nil {
		held = &holding{records: items{slot: ofSource}}
		s.holdings[record.Source] = held
		held.records.Push(added)
		if record.Source != "" {
			heap.Push(&s.largest, held)
		}
		return
	}
	heap.Push(&held.records, added)
	s.resized(record.Source, held)
}

func (s *shelf) remove(gone *item) {
	heap.Remove(&s.expiry, gone.at[ofShelf])
	delete(s.byKey, gone.Key)
	held := s.holdings[gone.Source]
	heap.Remove(&held.records, gone.at[ofSource])
	s.resized(gone.Source, held)
}

// resized puts a holding in its place among the largest.
func (s *shelf) resized(source string, held *holding) {
	empty := held.records.Len() == 0
	if empty {
		delete(s.holdings, source)
	}
	switch {
	case source == "":
	case empty:
		heap.Remove(&s.largest, held.at)
	default:
		heap.Fix(&s.largest, held.at)
	}
}

func (i *item) copy() Record {
	record := i.Record
	record.Value = bytes.Clone(record.Value)
	return record
}

// items are a heap with the item that expires first at its top.
type items struct {
	all  []*item
	slot int
}

func (h *items) Len() int           { return len(h.all) }
func (h *items) Less(i, j int) bool { return h.all[i].Expires.Before(h.all[j].Expires) }

func (h *items) Swap(i, j int) {
	h.all[i], h.all[j] = h.all[j], h.all[i]
	h.all[i].at[h.slot] = i
	h.all[j].at[h.slot] = j
}

func (h *items) Push(x any) {
	one := x.(*item)
	one.at[h.slot] = len(h.all)
	h.all = append(h.all, one)
}

func (h *items) Pop() any {
	last := len(h.all) - 1
	one := h.all[last]
	h.all[last] = nil
	h.all = h.all[:last]
	return one
}

// largest is a heap with the holding of the most records at its top. Of equal ones that is the one
// whose record expires first.
type largest []*holding

func (h largest) Len() int { return len(h) }

func (h largest) Less(i, j int) bool {
	one := h[i].records.Len()
	other := h[j].records.Len()
	if one == 0 || other == 0 || one != other {
		return one > other
	}
	return h[i].records.all[0].Expires.Before(h[j].records.all[0].Expires)
}

func (h largest) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at = i
	h[j].at = j
}

func (h *largest) Push(x any) {
	one := x.(*holding)
	one.at = len(*h)
	*h = append(*h, one)
}

func (h *largest) Pop() any {
	last := len(*h) - 1
	one := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return one
}
