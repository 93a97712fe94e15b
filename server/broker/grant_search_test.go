package broker_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/broker"
	"mcpentra/server/store"
)

// A scanCounter is a store that counts the pages of grants that are read without a name.
type scanCounter struct {
	store.Store
	scanned int
}

func (s *scanCounter) List(ctx context.Context, query store.Query) ([]store.Record, error) {
	if query.Kind == "grant" && query.Source == "" && query.Group == "" {
		s.scanned++
	}
	return s.Store.List(ctx, query)
}

// TestGrantsAreFoundByName lists and ends grants without a look at the grants of other people.
func TestGrantsAreFoundByName(t *testing.T) {
	t.Parallel()
	kept := &scanCounter{Store: newMemory()}
	e := newEnv(t, options{store: kept})
	users := e.fake.Tenant().Users
	first := e.named("First", loopback)
	second := e.named("Second", loopback)
	e.signedInWith(e.browser(), first, users[0].UserPrincipalName)
	e.signedInWith(e.browser(), second, users[0].UserPrincipalName)
	others := e.signedInWith(e.browser(), second, users[1].UserPrincipalName)

	// Another replica may still run the version before, which stores no people.
	assert.Len(t, grantsOf(t, e.broker, broker.GrantFilter{ClientID: second.ID}), 2)
	assert.NotZero(t, kept.scanned, "the records may lack names")
	require.NoError(t, e.broker.MaintainOnce(t.Context()))
	kept.scanned = 0
	for _, test := range []struct {
		filter broker.GrantFilter
		want   int
	}{
		{broker.GrantFilter{User: users[0].ID}, 2},
		{broker.GrantFilter{User: users[0].UserPrincipalName}, 2},
		{broker.GrantFilter{User: users[0].UserPrincipalName, ClientID: second.ID}, 1},
		{broker.GrantFilter{ClientID: second.ID}, 2},
	} {
		assert.Len(t, grantsOf(t, e.broker, test.filter), test.want, test.filter)
	}
	ended, err := e.broker.EndGrants(t.Context(), broker.GrantFilter{User: users[0].UserPrincipalName}, "a test")
	require.NoError(t, err)
	assert.Equal(t, 2, ended)
	assert.Zero(t, kept.scanned)
	assert.True(t, e.good(others.Access))
	assert.Empty(t, grantsOf(t, e.broker, broker.GrantFilter{User: users[0].ID}))
}

// TestPeopleOfTheVersionBeforeAreFound removes the records of people, as if the version before had
// stored the grants.
func TestPeopleOfTheVersionBeforeAreFound(t *testing.T) {
	t.Parallel()
	kept := &scanCounter{Store: newMemory()}
	e := newEnv(t, options{store: kept})
	user := e.fake.Tenant().Users[0]
	got := e.signedIn(e.public())
	forget := func() {
		page, err := kept.List(t.Context(), store.Query{Kind: "person"})
		require.NoError(t, err)
		require.Len(t, page, 1)
		require.NoError(t, kept.Delete(t.Context(), "person", page[0].Key))
	}
	forget()
	filter := broker.GrantFilter{User: user.UserPrincipalName}
	assert.Len(t, grantsOf(t, e.broker, filter), 1, "all grants are read")
	require.NoError(t, e.broker.MaintainOnce(t.Context()))
	kept.scanned = 0
	assert.Len(t, grantsOf(t, e.broker, filter), 1)
	assert.Zero(t, kept.scanned, "Maintain has added the person")

	forget()
	ended, err := e.broker.EndGrants(t.Context(), filter, "a test")
	require.NoError(t, err)
	assert.Equal(t, 1, ended, "a person who is missing is searched among all grants")
	assert.False(t, e.good(got.Access))
}

// TestPeopleAreFoundByTheirLatestName finds the older grants of a person who has another name now.
func TestPeopleAreFoundByTheirLatestName(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{store: newMemory()})
	e.signedIn(e.public())
	require.NoError(t, e.broker.MaintainOnce(t.Context()))
	page, err := e.broker.Grants(t.Context(), broker.GrantFilter{}, "", 1)
	require.NoError(t, err)
	require.Len(t, page, 1)
	require.NoError(t, e.broker.RememberPerson(t.Context(), page[0].Principal, "married@contoso.example"))
	assert.Len(t, grantsOf(t, e.broker, broker.GrantFilter{User: "Married@contoso.example"}), 1)
	assert.Len(t, grantsOf(t, e.broker, broker.GrantFilter{User: page[0].Principal.ObjectID}), 1)
}
