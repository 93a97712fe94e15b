package journal

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"mcpentra/fakeentra/endpoint"
)

// Capacity is the number of requests that a journal keeps. It then forgets the oldest. A secret
// gets its number when the journal is read, so a forgotten secret may have none.
const Capacity = 1000

// A Journal is a record of requests. Make one with New. It is safe for concurrent use.
type Journal struct {
	mu      sync.Mutex
	records []*record // oldest first
	masked  int       // number of masked records, from the oldest on
	mask    *mask
	count   int // requests since the start or the last Clear
	changed chan struct{}
}

// New returns an empty journal.
func New() *Journal { return &Journal{mask: newMask()} }

// A Filter selects entries. Empty fields select all.
type Filter struct {
	Endpoint endpoint.Name `json:"endpoint,omitempty"`
	Client   string        `json:"client,omitempty"` // application ID
	Grant    string        `json:"grant,omitempty"`  // grant_type
	Path     string        `json:"path,omitempty"`   // part of the path
	Status   int           `json:"status,omitempty"`
	AADSTS   int           `json:"aadsts,omitempty"`
}

// Matches reports whether the filter selects an entry.
func (f Filter) Matches(e Entry) bool {
	return (f.Endpoint == "" || f.Endpoint == e.Endpoint) &&
		(f.Client == "" || strings.EqualFold(f.Client, e.Client)) &&
		(f.Grant == "" || f.Grant == e.Grant) &&
		strings.Contains(e.Path, f.Path) &&
		(f.Status == 0 || f.Status == e.Status) &&
		(f.AADSTS == 0 || f.AADSTS == e.AADSTS)
}

// Add records an exchange.
func (j *Journal) Add(x Exchange) {
	added := newRecord(x)
	large := added.unmasked.size() > maxUnmasked
	j.mu.Lock()
	defer j.mu.Unlock()
	j.count++
	added.Number = j.count
	if len(j.records) >= Capacity {
		j.records[0] = nil
		j.records = j.records[1:]
		j.masked = max(0, j.masked-1)
	}
	j.records = append(j.records, added)
	if large {
		j.maskAll()
	}
	if j.changed != nil {
		close(j.changed)
		j.changed = nil
	}
}

// maskAll masks the records that are not masked yet, oldest first. The numbers of secrets therefore
// do not depend on the time of reading, as long as the journal forgets nothing.
func (j *Journal) maskAll() {
	for _, added := range j.records[j.masked:] {
		added.mask(j.mask)
	}
	j.masked = len(j.records)
}

// Entries returns the requests that a filter selects, oldest first.
func (j *Journal) Entries(filter Filter) []Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.maskAll()
	entries := make([]Entry, 0, len(j.records))
	for _, kept := range j.records {
		if filter.Matches(kept.Entry) {
			entries = append(entries, kept.Entry)
		}
	}
	return entries
}

// Count returns the number of requests that a filter selects.
func (j *Journal) Count(filter Filter) int { return len(j.Entries(filter)) }

// Take removes and returns the oldest request that a filter selects. If there is none, it waits for
// one until the context ends. Two calls with the same filter return two requests.
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
		changed := j.changed
		seen := j.count
		j.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return Entry{}, fmt.Errorf("journal: none of %d requests matches the filter: %w", seen, ctx.Err())
		}
	}
}

// Clear forgets all requests and the numbers of all secrets.
func (j *Journal) Clear() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.records = nil
	j.masked = 0
	j.count = 0
	j.mask.clear()
}

// String returns the transcript of all requests. Tests use it as a snapshot.
func (j *Journal) String() string {
	var text strings.Builder
	for _, entry := range j.Entries(Filter{}) {
		text.WriteString(entry.String())
	}
	return text.String()
}
