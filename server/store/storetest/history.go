package storetest

import (
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"mcpentra/server/store"
)

// An action is one step of a history: a call, or a pause.
type action struct {
	method string
	key    string
	source string
	limit  int
	lives  time.Duration
	older  bool // Put uses an older version than the stored one
}

var actions = rapid.Custom(func(t *rapid.T) action {
	return action{
		method: rapid.SampledFrom([]string{"put", "put", "put", "put", "get", "take", "delete", "list", "wait"}).
			Draw(t, "method"),
		key:    fmt.Sprint("key", rapid.IntRange(0, 11).Draw(t, "key")),
		source: rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, "source"),
		limit:  rapid.SampledFrom([]int{0, 3, 5}).Draw(t, "limit"),
		lives:  time.Duration(rapid.IntRange(1, 5).Draw(t, "lives")) * time.Minute,
		older:  rapid.IntRange(0, 4).Draw(t, "older") == 0,
	}
})

// histories runs random histories against the store and a simple copy of it. The flag -rapid.checks
// says how many; 100 if it is missing.
func histories(t *testing.T, s store.Store, later func(time.Duration)) {
	var passed time.Duration
	var kinds atomic.Int64
	rapid.Check(t, func(check *rapid.T) {
		kind := fmt.Sprint("kind", kinds.Add(1))
		copied := &copied{t: check, store: s, kind: kind, records: map[string]store.Record{}}
		for n, next := range rapid.SliceOfN(actions, 1, 40).Draw(check, "history") {
			if next.method == "wait" {
				passed += next.lives
				later(next.lives)
			}
			copied.now = start.Add(passed)
			// No two records expire at once, so the store has no choice.
			copied.do(next, time.Duration(n)*time.Second)
		}
	})
}

// copied keeps what a store should have.
type copied struct {
	t       *rapid.T
	store   store.Store
	kind    string
	now     time.Time
	records map[string]store.Record
}

// do calls the store and checks the result.
func (c *copied) do(next action, apart time.Duration) {
	maps.DeleteFunc(c.records, func(_ string, r store.Record) bool { return !r.Expires.After(c.now) })
	ctx := c.t.Context()
	want, exists := c.records[next.key]
	switch next.method {
	case "put":
		c.put(next, apart)
	case "get":
		found, err := c.store.Get(ctx, c.kind, next.key)
		c.same(want, exists, found, err)
	case "take":
		found, err := c.store.Take(ctx, c.kind, next.key)
		c.same(want, exists, found, err)
		delete(c.records, next.key)
	case "delete":
		require.NoError(c.t, c.store.Delete(ctx, c.kind, next.key))
		delete(c.records, next.key)
	case "list":
		page, err := c.store.List(ctx, store.Query{Kind: c.kind})
		require.NoError(c.t, err)
		require.Len(c.t, page, len(c.records))
		for i, key := range slices.Sorted(maps.Keys(c.records)) {
			c.same(c.records[key], true, page[i], nil)
		}
	}
}

func (c *copied) same(want store.Record, exists bool, found store.Record, err error) {
	if !exists {
		require.ErrorIs(c.t, err, store.ErrNotFound)
		return
	}
	require.NoError(c.t, err, want.Key)
	require.True(c.t, want.Expires.Equal(found.Expires))
	found.Expires = want.Expires
	require.Equal(c.t, want, found)
}

func (c *copied) put(next action, apart time.Duration) {
	want, exists := c.records[next.key]
	made := store.Record{
		Kind:    c.kind,
		Key:     next.key,
		Value:   []byte(fmt.Sprint(apart)),
		Version: want.Version,
		Expires: c.now.Add(next.lives + apart),
		Source:  next.source,
		Limit:   next.limit,
	}
	if next.older && exists {
		made.Version--
	}
	version, err := c.store.Put(c.t.Context(), made)
	if made.Version != want.Version {
		require.ErrorIs(c.t, err, store.ErrConflict)
		return
	}
	require.NoError(c.t, err)
	require.Greater(c.t, version, made.Version)
	for !exists && c.isFull(made) {
		delete(c.records, c.next())
	}
	made.Version = version
	made.Limit = 0
	c.records[next.key] = made
}

func (c *copied) isFull(made store.Record) bool {
	sourced := 0
	for _, kept := range c.records {
		if kept.Source != "" {
			sourced++
		}
	}
	return store.Config{MaxRecords: maxRecords}.Full(made, len(c.records), sourced)
}

// next returns the key of the record that a full kind loses.
func (c *copied) next() string {
	bySource := map[string][]store.Record{}
	for _, kept := range c.records {
		bySource[kept.Source] = append(bySource[kept.Source], kept)
	}
	first := func(source string) store.Record {
		return slices.MinFunc(bySource[source], func(a, b store.Record) int { return a.Expires.Compare(b.Expires) })
	}
	loser := ""
	for source, records := range bySource {
		more := len(records) - len(bySource[loser])
		isFirst := more == 0 && first(source).Expires.Before(first(loser).Expires)
		if loser == "" || source != "" && (more > 0 || isFirst) {
			loser = source
		}
	}
	return first(loser).Key
}
