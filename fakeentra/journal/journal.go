package journal

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"mcpentra/fakeentra/endpoint"
)

// Capacity is how many requests a journal keeps. Beyond it the oldest are forgotten, and their
// secrets have no number if nobody has asked before.
const Capacity = 1000

// A Journal is a record of requests. Make one with New. It is safe for concurrent use.
type Journal struct {
	mu      sync.Mutex
	records []*record // oldest first
	masked  int       // how many of them are, from the oldest on
	mask    *mask
	count   int // since the start or the last Clear
	changed chan struct{}
}

// New makes an empty journal.
func New() *Journal { return &Journal{mask: newMask()} }

// A Filter selects entries. Empty fields select all.
type Filter struct {
	Endpoint endpoint.Name `json:"endpoint,omitempty"`
	Client   string        `json:"client,omitempty"` // application ID
	Grant    string        `json:"grant,omitempty"`  // grant_type
	Path     string        `json:"path,omitempty"`   // a part of the path
	Status   int           `json:"status,omitempty"`
	AADSTS   int           `json:"aadsts,omitempty"`
}

// Matches reports whether an entry is selected.
func (f Filter) Matches(e Entry) bool {
	return (f.Endpoint == "" || f.Endpoint == e.Endpoint) &&
		(f.Client == "" || strings.EqualFold(f.Client, e.Client)) &&
		(f.Grant == "" || f.Grant == e.Grant) && strings.Contains(e.Path, f.Path) &&
		(f.Status == 0 || f.Status == e.Status) && (f.AADSTS == 0 || f.AADSTS == e.AADSTS)
}

// Add records an exchange.
func (j *Journal) Add(x Exchange) {
	added := newRecord(x)
	large := added.plain.size() > maxPlain
	j.mu.Lock()
	defer j.mu.Unlock()
	j.count++
	added.Number = j.count
	if len(j.records) >= Capacity {
		j.records[0] = nil
		j.records, j.masked = j.records[1:], max(0, j.masked-1)
	}
	if j.records = append(j.records, added); large {
		j.maskAll()
	}
	if j.changed != nil {
		close(j.changed)
		j.changed = nil
	}
}

// maskAll masks what is not yet, in the order in which it came, so that the numbers of secrets do
// not depend on who asked when, as long as nothing is forgotten.
func (j *Journal) maskAll() {
	for _, one := range j.records[j.masked:] {
		one.mask(j.mask)
	}
	j.masked = len(j.records)
}

// Entries are the requests that a filter selects, oldest first.
func (j *Journal) Entries(filter Filter) []Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.maskAll()
	entries := make([]Entry, 0, len(j.records))
	for _, one := range j.records {
		if filter.Matches(one.Entry) {
			entries = append(entries, one.Entry)
		}
	}
	return entries
}

// Count is how many requests a filter selects.
func (j *Journal) Count(filter Filter) int { return len(j.Entries(filter)) }

// Take removes the oldest request that a filter selects, and waits for one as long as the context
// lasts. Taking the same filter twice gives two requests.
func (j *Journal) Take(ctx context.Context, filter Filter) (Entry, error) {
	for {
		j.mu.Lock()
		j.maskAll()
		at := slices.IndexFunc(j.records, func(one *record) bool { return filter.Matches(one.Entry) })
		if at >= 0 {
			found := j.records[at].Entry
			j.records = slices.Delete(j.records, at, at+1)
			j.masked--
			j.mu.Unlock()
			return found, nil
		}
		if j.changed == nil {
			j.changed = make(chan struct{})
		}
		changed, seen := j.changed, j.count
		j.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return Entry{}, fmt.Errorf("journal: no such request among %d: %w", seen, ctx.Err())
		}
	}
}

// Clear forgets all requests, and the numbers of all secrets.
func (j *Journal) Clear() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.records = nil
	j.masked = 0
	j.count = 0
	j.mask.clear()
}

// String is the transcript of all requests, for a snapshot.
func (j *Journal) String() string {
	var text strings.Builder
	for _, entry := range j.Entries(Filter{}) {
		text.WriteString(entry.String())
	}
	return text.String()
}
