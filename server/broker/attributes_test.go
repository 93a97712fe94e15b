package broker_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra/directory"
	"mcpentra/server/identity"
)

// asGuest makes the default person a guest with a role and a number of groups.
func asGuest(groups int) func(*directory.Tenant) {
	return func(tenant *directory.Tenant) {
		app := &tenant.Apps[0]
		app.Roles = []directory.Role{{Value: "Admin"}}
		app.Assignments = []directory.Assignment{{Principal: directory.DefaultUserID, Role: "Admin"}}
		app.GroupMembershipClaims = "SecurityGroup"
		tenant.Users[0].HomeTenant = "5a1e0001-0000-4000-8000-00000000f00d"
		tenant.Groups = nil
		for i := range groups {
			tenant.Groups = append(tenant.Groups, directory.Group{
				ID:          fmt.Sprintf("5a1e0006-0000-4000-8000-%012d", i),
				DisplayName: fmt.Sprint(i),
				Members:     []string{directory.DefaultUserID},
			})
		}
	}
}

// asMember makes Entra say that the person is a member.
func asMember(tenant *directory.Tenant) { tenant.Apps[0].OptionalClaims.IDToken = []string{"acct"} }

func TestIDTokenSetsAttributes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name       string
		tenant     func(*directory.Tenant)
		kind       identity.Kind
		stated     bool
		roles      []string
		groups     int
		incomplete bool
	}{
		{"no claim", nil, identity.User, false, nil, 0, false},
		{"a member", asMember, identity.User, true, nil, 0, false},
		{"a guest", asGuest(0), identity.Guest, true, []string{"Admin"}, 0, false},
		{"as many groups as fit", asGuest(200), identity.Guest, true, []string{"Admin"}, 200, false},
		{"more groups than fit", asGuest(201), identity.Guest, true, []string{"Admin"}, 0, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, options{tenant: test.tenant})
			got := e.signedIn(e.public())
			for range 2 { // from the store, and from the cache
				caller, err := e.broker.Verify(t.Context(), got.Access)
				require.NoError(t, err)
				assert.Equal(t, test.kind, caller.Kind)
				assert.Equal(t, test.stated, caller.KindStated)
				assert.Equal(t, test.roles, caller.Roles)
				assert.Len(t, caller.Groups, test.groups)
				assert.Equal(t, test.incomplete, caller.GroupsIncomplete)
			}
			assert.Less(t, len(got.Access), 2048, "200 groups would break the header limits of servers")
		})
	}
}

// TestNewIDTokenChangesGrant takes a role from a person, and refreshes after Entra's token has
// expired.
func TestNewIDTokenChangesGrant(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{tenant: asGuest(3)})
	c := e.public()
	got := e.signedIn(c)
	caller, err := e.broker.Verify(t.Context(), got.Access)
	require.NoError(t, err)
	require.Equal(t, []string{"Admin"}, caller.Roles)

	changed := e.fake.Directory()
	asGuest(201)(&changed.Tenants[0])
	changed.Tenants[0].Apps[0].Assignments = nil
	changed.Tenants[0].Users[0].HomeTenant = ""
	changed.Tenants[0].Users[0].DisplayName = "Adele Someone"
	require.NoError(t, e.fake.SetDirectory(changed))
	again, err := e.broker.Verify(t.Context(), got.Access)
	require.NoError(t, err)
	assert.Equal(t, caller.Attributes, again.Attributes, "Entra has not been asked")

	e.later(90 * time.Minute)
	got, status := e.token(refreshing(c, got.Refresh))
	require.Equal(t, 200, status, got.Error)
	again, err = e.broker.Verify(t.Context(), got.Access)
	require.NoError(t, err)
	assert.Equal(t, identity.Attributes{Kind: identity.User, GroupsIncomplete: true}, again.Attributes)
	assert.Equal(t, "Adele Someone", again.Name)
}
