package tokenstore_test

import (
	"context"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/tokenrequest"
	"mcpentra/client/tokenstore"
)

func TestStoreKeepsRecords(t *testing.T) {
	eachStore(t, func(t *testing.T, open func() tokenstore.Store) {
		work := tokenstore.Key{Resource: mcpKey.Resource, Account: "work"}
		record, err := open().Load(t.Context(), work)
		require.NoError(t, err)
		assert.Zero(t, record, "the store is empty")
		keys, err := open().Keys(t.Context())
		require.NoError(t, err)
		assert.Empty(t, keys)

		record.Put("https://a.example.com", tokenstore.Entry{
			Client: tokenrequest.Client{ID: "a"},
			Token:  tokenrequest.Token{Access: "t", Scopes: []string{}},
		})
		record.Put("https://b.example.com", tokenstore.Entry{
			Client:      tokenrequest.Client{ID: "b"},
			DPoPKey:     []byte{0, 255},
			SigningAlgs: []string{"ES256"},
		})
		require.NoError(t, open().Save(t.Context(), work, record))
		got, err := open().Load(t.Context(), work)
		require.NoError(t, err)
		assert.Equal(t, record, got)
		issuer, _, found := got.InUse()
		assert.True(t, found)
		assert.Equal(t, "https://b.example.com", issuer)

		home := tokenstore.Key{Resource: work.Resource, Account: "home"}
		require.NoError(t, open().Save(t.Context(), home, tokenstore.Record{Current: "https://a.example.com"}))
		keys, err = open().Keys(t.Context())
		require.NoError(t, err)
		assert.ElementsMatch(t, []tokenstore.Key{work, home}, keys)
	})
}

func TestStoreSeparatesKeys(t *testing.T) {
	eachStore(t, func(t *testing.T, open func() tokenstore.Store) {
		work := tokenstore.Key{Resource: mcpKey.Resource, Account: "work"}
		require.NoError(t, open().Save(t.Context(), work, recordOf("t")))
		for _, c := range []struct {
			name string
			key  tokenstore.Key
		}{
			{"another account", tokenstore.Key{Resource: work.Resource, Account: "home"}},
			{"no account", tokenstore.Key{Resource: work.Resource}},
			{"another server", tokenstore.Key{Resource: "https://other.example.com/mcp", Account: "work"}},
			{"a path below", tokenstore.Key{Resource: work.Resource + "/x", Account: "work"}},
			{"an additional slash", tokenstore.Key{Resource: work.Resource + "/", Account: "work"}},
			{"members swapped", tokenstore.Key{Resource: "work", Account: work.Resource}},
			{"members joined", tokenstore.Key{Resource: work.Resource + "work"}},
		} {
			got, err := open().Load(t.Context(), c.key)
			require.NoError(t, err, c.name)
			assert.Zero(t, got, c.name)
		}
	})
}

func TestLoadReturnsCopy(t *testing.T) {
	eachStore(t, func(t *testing.T, open func() tokenstore.Store) {
		tokens := open()
		key := tokenstore.Key{Resource: "r"}
		var record tokenstore.Record
		record.Put("i", tokenstore.Entry{Token: tokenrequest.Token{Access: "t"}})
		require.NoError(t, tokens.Save(t.Context(), key, record))
		record.Forget("i")
		got, err := tokens.Load(t.Context(), key)
		require.NoError(t, err)
		assert.Equal(t, "t", got.Entries["i"].Token.Access)
		got.Forget("i")
		got, err = tokens.Load(t.Context(), key)
		require.NoError(t, err)
		assert.Equal(t, "t", got.Entries["i"].Token.Access)
	})
}

func TestLockPreventsLostUpdates(t *testing.T) {
	eachStore(t, func(t *testing.T, open func() tokenstore.Store) {
		key := tokenstore.Key{Resource: "r"}
		const workers = 4
		const rounds = 5
		var group sync.WaitGroup
		for range workers {
			tokens := open()
			group.Go(func() {
				for range rounds {
					increment(t, tokens, key)
				}
			})
		}
		group.Wait()
		record, err := open().Load(t.Context(), key)
		require.NoError(t, err)
		assert.Equal(t, strconv.Itoa(workers*rounds), record.Entries["i"].Token.Access)
	})
}

// increment adds one to the number in a record's access token.
func increment(t *testing.T, tokens tokenstore.Store, key tokenstore.Key) {
	unlock, err := tokens.Lock(t.Context(), key)
	if !assert.NoError(t, err) {
		return
	}
	defer unlock()
	record, err := tokens.Load(t.Context(), key)
	assert.NoError(t, err)
	n, _ := strconv.Atoi(record.Entries["i"].Token.Access)
	record.Put("i", tokenstore.Entry{Token: tokenrequest.Token{Access: strconv.Itoa(n + 1)}})
	assert.NoError(t, tokens.Save(t.Context(), key, record))
}

func TestLockIsForOneKey(t *testing.T) {
	eachStore(t, func(t *testing.T, open func() tokenstore.Store) {
		key := tokenstore.Key{Resource: "r"}
		tokens := open()
		unlock, err := tokens.Lock(t.Context(), key)
		require.NoError(t, err)
		unlockOther, err := tokens.Lock(t.Context(), tokenstore.Key{Resource: "another"})
		require.NoError(t, err, "keys do not wait for each other")
		unlockOther()
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = open().Lock(canceled, key)
		require.ErrorIs(t, err, context.Canceled)
		unlock()
		unlock, err = open().Lock(t.Context(), key)
		require.NoError(t, err)
		unlock()
	})
}
