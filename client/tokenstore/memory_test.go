package tokenstore_test

import (
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"

	"mcpentra/client/grant"
	"mcpentra/client/tokenstore"
)

func TestNothingIsShownToAnother(t *testing.T) {
	t.Parallel()
	var tokens tokenstore.Memory
	_, _, found := tokens.Load("https://mcp.example.com/mcp")
	assert.False(t, found)
	kept := tokenstore.Key{Issuer: "https://a.example.com", Resource: "https://mcp.example.com/mcp"}
	tokens.Save(kept, tokenstore.Entry{Client: grant.Client{ID: "a"}, Token: grant.Token{Access: "t"}})
	for name, key := range map[string]tokenstore.Key{
		"another issuer":   {Issuer: "https://b.example.com", Resource: kept.Resource},
		"another resource": {Issuer: kept.Issuer, Resource: "https://other.example.com/mcp"},
		"a path below":     {Issuer: kept.Issuer, Resource: kept.Resource + "/x"},
		"a slash more":     {Issuer: kept.Issuer + "/", Resource: kept.Resource},
		"both exchanged":   {Issuer: kept.Resource, Resource: kept.Issuer},
	} {
		entry, found := tokens.Get(key)
		assert.False(t, found, name)
		assert.Zero(t, entry, name)
	}
	_, _, found = tokens.Load("https://other.example.com/mcp")
	assert.False(t, found)
}

func TestForgettingKeepsTheRegistration(t *testing.T) {
	t.Parallel()
	var tokens tokenstore.Memory
	key := tokenstore.Key{Issuer: "i", Resource: "r"}
	tokens.Forget(key)
	_, found := tokens.Get(key)
	assert.False(t, found, "there was nothing to forget")
	tokens.Save(key, tokenstore.Entry{Client: grant.Client{ID: "a"}, Token: grant.Token{Access: "t", Refresh: "r"}, RedirectURI: "u"})
	tokens.Forget(key)
	entry, found := tokens.Get(key)
	assert.True(t, found)
	assert.Equal(t, tokenstore.Entry{Client: grant.Client{ID: "a"}, RedirectURI: "u"}, entry)
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	var tokens tokenstore.Memory
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			own := tokenstore.Key{Issuer: strconv.Itoa(worker), Resource: "shared"}
			for i := range 200 {
				text := strconv.Itoa(i)
				tokens.Save(own, tokenstore.Entry{Token: grant.Token{Access: text, Refresh: text}})
				entry, found := tokens.Get(own)
				assert.True(t, found)
				assert.Equal(t, text, entry.Token.Access, "nobody else writes there")
				_, entry, found = tokens.Load("shared")
				assert.True(t, found)
				assert.Equal(t, entry.Token.Access, entry.Token.Refresh, "an entry is whole")
				tokens.Forget(own)
			}
		})
	}
	group.Wait()
}
