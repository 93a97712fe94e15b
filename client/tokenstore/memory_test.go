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

func TestForgettingKeepsTheRegistration(t *testing.T) {
	t.Parallel()
	var record tokenstore.Record
	record.Forget("i")
	assert.Empty(t, record.Entries, "there was nothing to forget")
	record.Put("i", tokenstore.Entry{
		Client:      tokenrequest.Client{ID: "a"},
		Token:       tokenrequest.Token{Access: "t", Refresh: "r"},
		DPoPKey:     []byte("k"),
		RedirectURI: "u",
		Asked:       []string{"s"},
	})
	record.Forget("i")
	_, entry, found := record.InUse()
	assert.True(t, found)
	assert.Equal(t, tokenstore.Entry{Client: tokenrequest.Client{ID: "a"}, RedirectURI: "u", Asked: []string{"s"}}, entry)
}

func TestSecretOfAClientThatWasGivenIsNotKept(t *testing.T) {
	t.Parallel()
	var record tokenstore.Record
	record.Put("i", tokenstore.Entry{Given: true, Client: tokenrequest.Client{ID: "a", Secret: "s-1"}})
	record.Put("j", tokenstore.Entry{Client: tokenrequest.Client{ID: "b", Secret: "s-2"}})
	assert.Empty(t, record.Entries["i"].Client.Secret)
	assert.Equal(t, "s-2", record.Entries["j"].Client.Secret, "nobody else has that one")
}

// each runs a test against every store.
func each(t *testing.T, test func(t *testing.T, open func() tokenstore.Store)) {
	t.Parallel()
	for name, open := range map[string]func(t *testing.T) func() tokenstore.Store{
		"memory": func(*testing.T) func() tokenstore.Store {
			tokens := &tokenstore.Memory{}
			return func() tokenstore.Store { return tokens }
		},
		"file": func(t *testing.T) func() tokenstore.Store {
			folder := t.TempDir()
			return func() tokenstore.Store { return openFile(t, folder, nil) }
		},
		"command": func(t *testing.T) func() tokenstore.Store {
			words := helper(t, t.TempDir())
			locks := t.TempDir()
			return func() tokenstore.Store {
				tokens, err := tokenstore.NewCommand(words, locks)
				require.NoError(t, err)
				return tokens
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

func TestRecordsAreKept(t *testing.T) {
	each(t, func(t *testing.T, open func() tokenstore.Store) {
		place := tokenstore.Place{Resource: "https://mcp.example.com/mcp", Account: "work"}
		record, err := open().Load(t.Context(), place)
		require.NoError(t, err)
		assert.Zero(t, record, "nothing is there yet")
		places, err := open().Places(t.Context())
		require.NoError(t, err)
		assert.Empty(t, places)

		record.Put(
			"https://a.example.com",
			tokenstore.Entry{Client: tokenrequest.Client{ID: "a"}, Token: tokenrequest.Token{Access: "t", Scopes: []string{}}},
		)
		record.Put(
			"https://b.example.com",
			tokenstore.Entry{Client: tokenrequest.Client{ID: "b"}, DPoPKey: []byte{0, 255}, SigningAlgs: []string{"ES256"}},
		)
		require.NoError(t, open().Save(t.Context(), place, record))
		got, err := open().Load(t.Context(), place)
		require.NoError(t, err)
		assert.Equal(t, record, got)
		issuer, _, found := got.InUse()
		assert.True(t, found)
		assert.Equal(t, "https://b.example.com", issuer)

		for name, other := range map[string]tokenstore.Place{
			"another account":          {Resource: place.Resource, Account: "home"},
			"no account":               {Resource: place.Resource},
			"another server":           {Resource: "https://other.example.com/mcp", Account: "work"},
			"a path below":             {Resource: place.Resource + "/x", Account: "work"},
			"a slash more":             {Resource: place.Resource + "/", Account: "work"},
			"both exchanged":           {Resource: "work", Account: place.Resource},
			"as if it were one string": {Resource: place.Resource + "work"},
		} {
			got, err := open().Load(t.Context(), other)
			require.NoError(t, err, name)
			assert.Zero(t, got, name)
		}
		home := tokenstore.Place{Resource: place.Resource, Account: "home"}
		require.NoError(t, open().Save(t.Context(), home, tokenstore.Record{Current: "https://a.example.com"}))
		places, err = open().Places(t.Context())
		require.NoError(t, err)
		assert.ElementsMatch(t, []tokenstore.Place{place, home}, places)
	})
}

func TestWhatIsLoadedIsTheCallers(t *testing.T) {
	each(t, func(t *testing.T, open func() tokenstore.Store) {
		tokens := open()
		place := tokenstore.Place{Resource: "r"}
		var record tokenstore.Record
		record.Put("i", tokenstore.Entry{Token: tokenrequest.Token{Access: "t"}})
		require.NoError(t, tokens.Save(t.Context(), place, record))
		record.Forget("i")
		got, err := tokens.Load(t.Context(), place)
		require.NoError(t, err)
		assert.Equal(t, "t", got.Entries["i"].Token.Access)
		got.Forget("i")
		got, err = tokens.Load(t.Context(), place)
		require.NoError(t, err)
		assert.Equal(t, "t", got.Entries["i"].Token.Access)
	})
}

func TestOneAtATimeHoldsAPlace(t *testing.T) {
	each(t, func(t *testing.T, open func() tokenstore.Store) {
		place := tokenstore.Place{Resource: "r"}
		const workers, rounds = 4, 5
		var group sync.WaitGroup
		for range workers {
			tokens := open()
			group.Go(func() {
				for range rounds {
					unlock, err := tokens.Lock(t.Context(), place)
					if !assert.NoError(t, err) {
						return
					}
					record, err := tokens.Load(t.Context(), place)
					assert.NoError(t, err)
					n, _ := strconv.Atoi(record.Entries["i"].Token.Access)
					record.Put("i", tokenstore.Entry{Token: tokenrequest.Token{Access: strconv.Itoa(n + 1)}})
					assert.NoError(t, tokens.Save(t.Context(), place, record))
					unlock()
				}
			})
		}
		group.Wait()
		record, err := open().Load(t.Context(), place)
		require.NoError(t, err)
		assert.Equal(t, strconv.Itoa(workers*rounds), record.Entries["i"].Token.Access, "no change is lost")

		tokens := open()
		unlock, err := tokens.Lock(t.Context(), place)
		require.NoError(t, err)
		other, err := tokens.Lock(t.Context(), tokenstore.Place{Resource: "another"})
		require.NoError(t, err, "places do not wait for each other")
		other()
		impatient, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = open().Lock(impatient, place)
		require.ErrorIs(t, err, context.Canceled)
		unlock()
		unlock, err = open().Lock(t.Context(), place)
		require.NoError(t, err)
		unlock()
	})
}
