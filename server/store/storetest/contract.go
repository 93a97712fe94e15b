package storetest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/store"
)

// An Open opens an empty store with a configuration.
type Open func(t *testing.T, config store.Config) store.Store

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// maxRecords bounds the records of each kind in the checked stores.
const maxRecords = 8

// Run checks a store against the contract.
func Run(t *testing.T, open Open) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s store.Store, later func(time.Duration))
	}{
		{"a record can be read", canBeRead},
		{"creating a record twice is a conflict", createTwice},
		{"a change of an older version is a conflict", changeOld},
		{"an expired record does not exist", expired},
		{"a record can be deleted twice", deleted},
		{"one of several concurrent callers succeeds", oneSucceeds},
		{"a full kind forgets the record that expires first", full},
		{"a source pushes out only its own records", sources},
		{"a source is kept and can be changed", sourceKept},
		{"a large value and a missing expiry are refused", refused},
		{"a key may have any characters", oddKeys},
		{"a second read sees a change", readAgain},
		{"a read is never older than the last change", neverOlder},
		{"a cached read shows the changes of this process", cachedShowsOwn},
		{"a cached read tells a known version from others", cachedForKnown},
		{"a list has the records of a source and a group", lists},
		{"a list comes in pages", listPages},
		{"the kinds are known", kinds},
		{"a record that must not come back is like any other while its server runs", once},
		{"a random history has the results of a simple store", histories},
		{"concurrent calls have the results of calls one after another", linearizable},
		{"a cancelled caller gets the error of its context", cancelled},
		{"records are stored in order, up to the first conflict", ordered},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var offset atomic.Int64
			now := func() time.Time { return start.Add(time.Duration(offset.Load())) }
			s := open(t, store.Config{MaxRecords: maxRecords, Now: now})
			t.Cleanup(func() { assert.NoError(t, s.Close()) })
			test.run(t, s, func(d time.Duration) { offset.Add(int64(d)) })
		})
	}
}

func record(key, value string, version int64, lives time.Duration) store.Record {
	return store.Record{Kind: "k", Key: key, Value: []byte(value), Version: version, Expires: start.Add(lives)}
}

func canBeRead(t *testing.T, s store.Store, _ func(time.Duration)) {
	version, err := s.Put(t.Context(), record("a", "one", 0, time.Hour))
	require.NoError(t, err)
	found, err := s.Get(t.Context(), "k", "a")
	require.NoError(t, err)
	assert.Equal(t, "one", string(found.Value))
	assert.Equal(t, version, found.Version)
	assert.True(t, found.Expires.Equal(start.Add(time.Hour)))
	_, err = s.Get(t.Context(), "other", "a")
	assert.ErrorIs(t, err, store.ErrNotFound, "kinds are apart")
}

func createTwice(t *testing.T, s store.Store, _ func(time.Duration)) {
	_, err := s.Put(t.Context(), record("a", "one", 0, time.Hour))
	require.NoError(t, err)
	_, err = s.Put(t.Context(), record("a", "two", 0, time.Hour))
	assert.ErrorIs(t, err, store.ErrConflict)
}

func changeOld(t *testing.T, s store.Store, _ func(time.Duration)) {
	first, err := s.Put(t.Context(), record("a", "one", 0, time.Hour))
	require.NoError(t, err)
	second, err := s.Put(t.Context(), record("a", "two", first, time.Hour))
	require.NoError(t, err)
	assert.Greater(t, second, first)
	_, err = s.Put(t.Context(), record("a", "three", first, time.Hour))
	assert.ErrorIs(t, err, store.ErrConflict)
	found, err := s.Get(t.Context(), "k", "a")
	require.NoError(t, err)
	assert.Equal(t, "two", string(found.Value))
	_, err = s.Put(t.Context(), record("gone", "x", 3, time.Hour))
	assert.ErrorIs(t, err, store.ErrConflict, "a change of a missing record")
}

func expired(t *testing.T, s store.Store, later func(time.Duration)) {
	version, err := s.Put(t.Context(), record("a", "one", 0, time.Minute))
	require.NoError(t, err)
	later(time.Minute)
	_, err = s.Get(t.Context(), "k", "a")
	assert.ErrorIs(t, err, store.ErrNotFound)
	_, err = s.Take(t.Context(), "k", "a")
	assert.ErrorIs(t, err, store.ErrNotFound)
	_, err = s.Put(t.Context(), record("a", "two", version, time.Hour))
	assert.ErrorIs(t, err, store.ErrConflict)
	_, err = s.Put(t.Context(), record("a", "three", 0, time.Hour))
	assert.NoError(t, err, "the key is free again")
}

func deleted(t *testing.T, s store.Store, _ func(time.Duration)) {
	_, err := s.Put(t.Context(), record("a", "one", 0, time.Hour))
	require.NoError(t, err)
	require.NoError(t, s.Delete(t.Context(), "k", "a"))
	require.NoError(t, s.Delete(t.Context(), "k", "a"))
	_, err = s.Get(t.Context(), "k", "a")
	assert.ErrorIs(t, err, store.ErrNotFound)
}

func oneSucceeds(t *testing.T, s store.Store, _ func(time.Duration)) {
	ctx := t.Context()
	assert.EqualValues(t, 1, winners(func(i int) error {
		_, err := s.Put(ctx, record("a", fmt.Sprint(i), 0, time.Hour))
		return err
	}), "creating")
	found, err := s.Get(ctx, "k", "a")
	require.NoError(t, err)
	assert.EqualValues(t, 1, winners(func(i int) error {
		_, err := s.Put(ctx, record("a", fmt.Sprint(i), found.Version, time.Hour))
		return err
	}), "changing")
	assert.EqualValues(t, 1, winners(func(int) error {
		_, err := s.Take(ctx, "k", "a")
		return err
	}), "taking")
}

func full(t *testing.T, s store.Store, _ func(time.Duration)) {
	for i := range 8 {
		_, err := s.Put(t.Context(), record(fmt.Sprint(i), "v", 0, time.Duration(10-i)*time.Hour))
		require.NoError(t, err)
	}
	_, err := s.Put(t.Context(), record("one too many", "v", 0, time.Hour))
	require.NoError(t, err)
	_, err = s.Get(t.Context(), "k", "7")
	assert.ErrorIs(t, err, store.ErrNotFound)
	for _, key := range []string{"0", "6", "one too many"} {
		_, err = s.Get(t.Context(), "k", key)
		assert.NoError(t, err, key)
	}
}

// sources makes far more records of one source than the store has room for.
func sources(t *testing.T, s store.Store, _ func(time.Duration)) {
	put := func(key, source string, lives time.Duration) {
		made := record(key, "v", 0, lives)
		made.Source = source
		made.Limit = 5
		_, err := s.Put(t.Context(), made)
		require.NoError(t, err)
	}
	kept := func() (keys []string) {
		for _, key := range []string{"none", "early", "late", "x0", "x1", "x2", "x17", "x18", "x19", "last"} {
			if _, err := s.Get(t.Context(), "k", key); err == nil {
				keys = append(keys, key)
			}
		}
		return keys
	}
	put("none", "", time.Minute)
	put("early", "one", 2*time.Minute)
	put("late", "other", 50*time.Hour)
	for i := range 20 {
		put(fmt.Sprint("x", i), "many", time.Hour+time.Duration(i)*time.Minute)
	}
	assert.Equal(t, []string{"none", "early", "late", "x17", "x18", "x19"}, kept())
	put("last", "fourth", time.Hour)
	assert.Equal(t, []string{"none", "early", "late", "x18", "x19", "last"}, kept())
	for i := range 3 { // the kind itself has room for eight
		_, err := s.Put(t.Context(), record(fmt.Sprint("s", i), "v", 0, 90*time.Hour))
		require.NoError(t, err)
	}
	assert.Equal(t, []string{"none", "early", "late", "x19", "last"}, kept())
	for i := range 8 {
		_, err := s.Put(t.Context(), record(fmt.Sprint("t", i), "v", 0, 95*time.Hour))
		require.NoError(t, err)
	}
	assert.Empty(t, kept(), "records without a source go last")
	_, err := s.Get(t.Context(), "k", "t7")
	assert.NoError(t, err)
}

func sourceKept(t *testing.T, s store.Store, _ func(time.Duration)) {
	made := record("a", "v", 0, time.Hour)
	made.Source = "first"
	version, err := s.Put(t.Context(), made)
	require.NoError(t, err)
	found, err := s.Get(t.Context(), "k", "a")
	require.NoError(t, err)
	assert.Equal(t, "first", found.Source)
	made.Source = ""
	made.Version = version
	_, err = s.Put(t.Context(), made)
	require.NoError(t, err)
	for i := range 20 {
		other := record(fmt.Sprint(i), "v", 0, 2*time.Hour)
		other.Source = "other"
		other.Limit = 3
		_, err := s.Put(t.Context(), other)
		require.NoError(t, err)
	}
	found, err = s.Take(t.Context(), "k", "a")
	require.NoError(t, err, "without a source it stays")
	assert.Empty(t, found.Source)
	made.Version = 0
	made.Source = strings.Repeat("s", 1000)
	_, err = s.Put(t.Context(), made)
	assert.Error(t, err)
	made.Source = ""
	made.Group = strings.Repeat("g", 1000)
	_, err = s.Put(t.Context(), made)
	assert.Error(t, err)
}

func refused(t *testing.T, s store.Store, _ func(time.Duration)) {
	_, err := s.Put(t.Context(), store.Record{Kind: "k", Key: "without a value", Expires: start.Add(time.Hour)})
	assert.NoError(t, err)
	_, err = s.Put(t.Context(), record("a", strings.Repeat("v", store.MaxValue+1), 0, time.Hour))
	assert.Error(t, err)
	_, err = s.Put(t.Context(), store.Record{Kind: "k", Key: "a", Value: []byte("v")})
	assert.Error(t, err)
	_, err = s.Get(t.Context(), "k", "a")
	assert.ErrorIs(t, err, store.ErrNotFound)
}

func oddKeys(t *testing.T, s store.Store, _ func(time.Duration)) {
	for _, key := range []string{"'; DROP TABLE records; --", "ü%_\\", strings.Repeat("k", 1000)} {
		_, err := s.Put(t.Context(), record(key, key, 0, time.Hour))
		require.NoError(t, err)
		found, err := s.Get(t.Context(), "k", key)
		require.NoError(t, err)
		assert.Equal(t, key, string(found.Value))
	}
}

func readAgain(t *testing.T, s store.Store, later func(time.Duration)) {
	read := func() string {
		found, err := s.Get(t.Context(), "k", "a")
		if err != nil {
			require.ErrorIs(t, err, store.ErrNotFound)
			return "nothing"
		}
		text := string(found.Value)
		found.Value[0] = '!' // a reader may change its copy
		return text
	}
	put := func(value string, version int64) int64 {
		version, err := s.Put(t.Context(), record("a", value, version, time.Minute))
		require.NoError(t, err)
		return version
	}
	assert.Equal(t, "nothing", read())
	version := put("one", 0)
	assert.Equal(t, []string{"one", "one"}, []string{read(), read()})
	put("two", version)
	assert.Equal(t, "two", read())
	_, err := s.Take(t.Context(), "k", "a")
	require.NoError(t, err)
	assert.Equal(t, "nothing", read())
	put("three", 0)
	assert.Equal(t, "three", read())
	require.NoError(t, s.Delete(t.Context(), "k", "a"))
	assert.Equal(t, "nothing", read())
	put("four", 0)
	assert.Equal(t, "four", read())
	later(time.Minute)
	assert.Equal(t, "nothing", read())
}

func neverOlder(t *testing.T, s store.Store, _ func(time.Duration)) {
	version, err := s.Put(t.Context(), record("a", "v", 0, time.Hour))
	require.NoError(t, err)
	var newest atomic.Int64 // version whose Put has returned
	newest.Store(version)
	var all sync.WaitGroup
	ended := make(chan struct{})
	for range 4 {
		all.Go(func() {
			for {
				select {
				case <-ended:
					return
				default:
				}
				least := newest.Load()
				found, err := s.Get(t.Context(), "k", "a")
				if !assert.NoError(t, err) || !assert.GreaterOrEqual(t, found.Version, least) {
					return
				}
			}
		})
	}
	for range 100 {
		version, err = s.Put(t.Context(), record("a", "v", version, time.Hour))
		require.NoError(t, err)
		newest.Store(version)
	}
	close(ended)
	all.Wait()
}

func cachedShowsOwn(t *testing.T, s store.Store, later func(time.Duration)) {
	_, err := s.GetCached(t.Context(), "k", "a", 0)
	assert.ErrorIs(t, err, store.ErrNotFound)
	version, err := s.Put(t.Context(), record("a", "one", 0, time.Minute))
	require.NoError(t, err)
	read := func() string {
		found, err := s.GetCached(t.Context(), "k", "a", 0)
		if err != nil {
			require.ErrorIs(t, err, store.ErrNotFound)
			return "nothing"
		}
		text := fmt.Sprint(string(found.Value), " ", found.Version)
		found.Value[0] = '!' // a reader may change its copy
		return text
	}
	assert.Equal(t, []string{"one 1", "one 1"}, []string{read(), read()})
	_, err = s.Put(t.Context(), record("a", "two", version, time.Minute))
	require.NoError(t, err)
	assert.Equal(t, []string{"two 2", "two 2"}, []string{read(), read()})
	require.NoError(t, s.Delete(t.Context(), "k", "a"))
	assert.Equal(t, "nothing", read())
	_, err = s.Put(t.Context(), record("a", "three", 0, time.Minute))
	require.NoError(t, err)
	assert.Equal(t, "three 1", read())
	_, err = s.Take(t.Context(), "k", "a")
	require.NoError(t, err)
	assert.Equal(t, "nothing", read())
	_, err = s.Put(t.Context(), record("a", "four", 0, time.Minute))
	require.NoError(t, err)
	assert.Equal(t, "four 1", read())
	later(time.Minute)
	assert.Equal(t, "nothing", read())
}

// keysOf lists records and returns their keys. It checks that a listed record is the stored one.
func keysOf(t *testing.T, s store.Store, query store.Query) (keys []string) {
	page, err := s.List(t.Context(), query)
	require.NoError(t, err)
	for _, listed := range page {
		found, err := s.Get(t.Context(), query.Kind, listed.Key)
		require.NoError(t, err)
		assert.True(t, found.Expires.Equal(listed.Expires))
		found.Expires = listed.Expires
		assert.Equal(t, found, listed)
		keys = append(keys, listed.Key)
	}
	return keys
}

func lists(t *testing.T, s store.Store, later func(time.Duration)) {
	for _, made := range []store.Record{
		{Key: "b", Source: "s1", Group: "g1"},
		{Key: "a", Source: "s1", Group: "g2"},
		{Key: "C", Source: "s2", Group: "g1"},
		{Key: "d", Group: "g1"},
		{Key: "ü", Source: "s1"},
		{Key: "short", Source: "s1", Group: "g1", Expires: start.Add(time.Minute)},
		{Key: "other", Kind: "k2", Source: "s1", Group: "g1"},
	} {
		if made.Kind == "" {
			made.Kind = "k"
		}
		if made.Expires.IsZero() {
			made.Expires = start.Add(time.Hour)
		}
		made.Value = []byte("value of " + made.Key)
		_, err := s.Put(t.Context(), made)
		require.NoError(t, err)
	}
	later(time.Minute)
	assert.Equal(t, []string{"C", "a", "b", "d", "ü"}, keysOf(t, s, store.Query{Kind: "k"}))
	assert.Equal(t, []string{"a", "b", "ü"}, keysOf(t, s, store.Query{Kind: "k", Source: "s1"}))
	assert.Equal(t, []string{"C", "b", "d"}, keysOf(t, s, store.Query{Kind: "k", Group: "g1"}))
	assert.Equal(t, []string{"b"}, keysOf(t, s, store.Query{Kind: "k", Source: "s1", Group: "g1"}))
	assert.Empty(t, keysOf(t, s, store.Query{Kind: "k", Source: "s3"}))
	assert.Empty(t, keysOf(t, s, store.Query{Kind: "none"}))
	// No text of a query changes the query.
	for _, text := range []string{"' OR '1'='1", "g1' --"} {
		assert.Empty(t, keysOf(t, s, store.Query{Kind: text}))
		assert.Empty(t, keysOf(t, s, store.Query{Kind: "k", Source: text}))
		assert.Empty(t, keysOf(t, s, store.Query{Kind: "k", Group: text}))
	}
	assert.Len(t, keysOf(t, s, store.Query{Kind: "k", After: "' OR '1'='1"}), 5)

	moved, err := s.Get(t.Context(), "k", "b")
	require.NoError(t, err)
	moved.Source = "s2"
	moved.Group = "g2"
	_, err = s.Put(t.Context(), moved)
	require.NoError(t, err)
	require.NoError(t, s.Delete(t.Context(), "k", "C"))
	_, err = s.Take(t.Context(), "k", "ü")
	require.NoError(t, err)
	assert.Equal(t, []string{"a"}, keysOf(t, s, store.Query{Kind: "k", Source: "s1"}))
	assert.Equal(t, []string{"b"}, keysOf(t, s, store.Query{Kind: "k", Source: "s2"}))
	assert.Equal(t, []string{"a", "b"}, keysOf(t, s, store.Query{Kind: "k", Group: "g2"}))
	assert.Equal(t, []string{"d"}, keysOf(t, s, store.Query{Kind: "k", Group: "g1"}))
}

func listPages(t *testing.T, s store.Store, _ func(time.Duration)) {
	for i := range 8 {
		made := record(fmt.Sprint(i), "v", 0, time.Hour)
		if i%2 == 0 {
			made.Source = "even"
			made.Group = "even"
		}
		_, err := s.Put(t.Context(), made)
		require.NoError(t, err)
	}
	assert.Equal(t, []string{"0", "1", "2"}, keysOf(t, s, store.Query{Kind: "k", Limit: 3}))
	assert.Equal(t, []string{"3", "4", "5"}, keysOf(t, s, store.Query{Kind: "k", Limit: 3, After: "2"}))
	assert.Equal(t, []string{"6", "7"}, keysOf(t, s, store.Query{Kind: "k", Limit: 3, After: "5"}))
	assert.Equal(t, []string{"4", "6"}, keysOf(t, s, store.Query{Kind: "k", Source: "even", Limit: 3, After: "2x"}))
	assert.Equal(t, []string{"2", "4"}, keysOf(t, s, store.Query{Kind: "k", Group: "even", Limit: 2, After: "0"}))
	assert.Len(t, keysOf(t, s, store.Query{Kind: "k"}), 8)
	assert.Len(t, keysOf(t, s, store.Query{Kind: "k", Limit: 1_000_000}), 8)
}

func kinds(t *testing.T, s store.Store, _ func(time.Duration)) {
	found, err := s.Kinds(t.Context())
	require.NoError(t, err)
	assert.Empty(t, found)
	for _, kind := range []string{"b", "a", "a kind with a blank"} {
		_, err := s.Put(t.Context(), store.Record{Kind: kind, Key: "one", Expires: start.Add(time.Hour)})
		require.NoError(t, err)
	}
	require.NoError(t, s.Delete(t.Context(), "b", "one"))
	found, err = s.Kinds(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "a kind with a blank"}, found)
}

// once uses a record with the mark Once. What a new server does to it is a test of the store's own.
func once(t *testing.T, s store.Store, _ func(time.Duration)) {
	made := record("a", "one", 0, time.Hour)
	made.Once = true
	version, err := s.Put(t.Context(), made)
	require.NoError(t, err)
	assert.Equal(t, []string{"a"}, keysOf(t, s, store.Query{Kind: "k"}))
	made.Value = []byte("two")
	made.Version = version
	_, err = s.Put(t.Context(), made)
	require.NoError(t, err)
	found, err := s.Get(t.Context(), "k", "a")
	require.NoError(t, err)
	assert.Equal(t, "two", string(found.Value))
	assert.False(t, found.Once, "the mark is not returned")
	found, err = s.Take(t.Context(), "k", "a")
	require.NoError(t, err)
	assert.Equal(t, "two", string(found.Value))
	assert.False(t, found.Once)
	_, err = s.Take(t.Context(), "k", "a")
	assert.ErrorIs(t, err, store.ErrNotFound)
}

func cancelled(t *testing.T, s store.Store, _ func(time.Duration)) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Get(ctx, "k", "a")
	assert.ErrorIs(t, err, context.Canceled)
	_, err = s.Put(ctx, record("a", "v", 0, time.Hour))
	assert.ErrorIs(t, err, context.Canceled)
}

// winners runs act sixteen times at once and counts the runs without an error.
func winners(act func(i int) error) int64 {
	var won atomic.Int64
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			if act(i) == nil {
				won.Add(1)
			}
		})
	}
	all.Wait()
	return won.Load()
}
