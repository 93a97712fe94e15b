package store

import (
	"bytes"
	"container/heap"
)

// A shelf holds the records of one kind: by key, by expiry, and by source.
type shelf struct {
	byKey    map[string]*item
	expiry   items
	holdings map[string]*holding
	largest  largest
}

// An item is a record with its index in each of the two heaps that hold it.
type item struct {
	Record
	at [2]int
}

// The heaps of an item: all records of its kind, and the records of its source.
const (
	ofShelf  = 0
	ofSource = 1
)

// A holding has the records of one source on a shelf.
type holding struct {
	records items
	at      int // its index in the heap of holdings
}

// sourced counts the records that have a source.
func (s *shelf) sourced() int {
	if without := s.holdings[""]; without != nil {
		return len(s.byKey) - without.records.Len()
	}
	return len(s.byKey)
}

// next returns the record that a full shelf loses.
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
	found := s.holdings[record.Source]
	if found == nil {
		found = &holding{records: items{slot: ofSource}}
		s.holdings[record.Source] = found
		found.records.Push(added)
		if record.Source != "" {
			heap.Push(&s.largest, found)
		}
		return
	}
	heap.Push(&found.records, added)
	s.resized(record.Source, found)
}

func (s *shelf) remove(removed *item) {
	heap.Remove(&s.expiry, removed.at[ofShelf])
	delete(s.byKey, removed.Key)
	found := s.holdings[removed.Source]
	heap.Remove(&found.records, removed.at[ofSource])
	s.resized(removed.Source, found)
}

// resized moves a holding to its new index in the heap of holdings.
func (s *shelf) resized(source string, changed *holding) {
	empty := changed.records.Len() == 0
	if empty {
		delete(s.holdings, source)
	}
	switch {
	case source == "":
	case empty:
		heap.Remove(&s.largest, changed.at)
	default:
		heap.Fix(&s.largest, changed.at)
	}
}

func (i *item) copy() Record {
	record := i.Record
	record.Value = bytes.Clone(record.Value)
	return record
}

// items is a heap whose top expires first.
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
	added := x.(*item)
	added.at[h.slot] = len(h.all)
	h.all = append(h.all, added)
}

func (h *items) Pop() any {
	last := len(h.all) - 1
	removed := h.all[last]
	h.all[last] = nil
	h.all = h.all[:last]
	return removed
}

// largest is a heap whose top is the holding with the most records. Among equal holdings the top is
// the one whose record expires first.
type largest []*holding

func (h largest) Len() int { return len(h) }

func (h largest) Less(i, j int) bool {
	a := h[i].records.Len()
	b := h[j].records.Len()
	if a == 0 || b == 0 || a != b {
		return a > b
	}
	return h[i].records.all[0].Expires.Before(h[j].records.all[0].Expires)
}

func (h largest) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at = i
	h[j].at = j
}

func (h *largest) Push(x any) {
	added := x.(*holding)
	added.at = len(*h)
	*h = append(*h, added)
}

func (h *largest) Pop() any {
	last := len(*h) - 1
	removed := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return removed
}
