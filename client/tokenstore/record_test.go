package tokenstore_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"mcpentra/client/tokenrequest"
	"mcpentra/client/tokenstore"
)

func TestForgetKeepsRegistration(t *testing.T) {
	t.Parallel()
	var record tokenstore.Record
	record.Forget("i")
	assert.Empty(t, record.Entries, "there was no entry")
	record.Put("i", tokenstore.Entry{
		Client:          tokenrequest.Client{ID: "a"},
		Token:           tokenrequest.Token{Access: "t", Refresh: "r"},
		DPoPKey:         []byte("k"),
		RedirectURI:     "u",
		RequestedScopes: []string{"s"},
	})
	record.Forget("i")
	_, entry, found := record.InUse()
	assert.True(t, found)
	want := tokenstore.Entry{
		Client:          tokenrequest.Client{ID: "a"},
		RedirectURI:     "u",
		RequestedScopes: []string{"s"},
	}
	assert.Equal(t, want, entry)
}

func TestPutDropsSecretOfPreregisteredClient(t *testing.T) {
	t.Parallel()
	var record tokenstore.Record
	record.Put("i", tokenstore.Entry{Preregistered: true, Client: tokenrequest.Client{ID: "a", Secret: "s-1"}})
	record.Put("j", tokenstore.Entry{Client: tokenrequest.Client{ID: "b", Secret: "s-2"}})
	assert.Empty(t, record.Entries["i"].Client.Secret)
	assert.Equal(t, "s-2", record.Entries["j"].Client.Secret, "the user does not have this one")
}
