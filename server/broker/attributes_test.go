package broker_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra/directory"
	"mcpentra/server/entra"
)

// asGuest makes the person who signs in a guest with a role, in a number of groups.
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

func TestTheIDTokenSaysWhatAPersonIs(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		tenant     func(*directory.Tenant)
		kind       entra.CallerKind
		stated     bool
		roles      []string
		groups     int
		incomplete bool
	}{
		"nothing": {nil, entra.Member, false, nil, 0, false},
		"a member": {func(tenant *directory.Tenant) {
			tenant.Apps[0].OptionalClaims.IDToken = []string{"acct"}
		}, entra.Member, true, nil, 0, false},
		"a guest":                      {asGuest(0), entra.Guest, true, []string{"Admin"}, 0, false},
		"with as many groups as fit":   {asGuest(200), entra.Guest, true, []string{"Admin"}, 200, false},
		"with more groups than do fit": {asGuest(201), entra.Guest, true, []string{"Admin"}, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{tenant: test.tenant})
			got := w.signedIn(w.public())
			for range 2 { // read, and remembered
				caller, err := w.broker.Verify(t.Context(), got.Access)
				require.NoError(t, err)
				assert.Equal(t, test.kind, caller.Kind)
				assert.Equal(t, test.stated, caller.KindStated)
				assert.Equal(t, test.roles, caller.Roles)
				assert.Len(t, caller.Groups, test.groups)
				assert.Equal(t, test.incomplete, caller.GroupsIncomplete)
			}
			assert.Less(t, len(got.Access), 2048, "groups would not fit into the headers that servers take")
		})
	}
}

// TestAFreshIDTokenChangesTheGrant takes a role from a person and has Entra asked again.
func TestAFreshIDTokenChangesTheGrant(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{tenant: asGuest(3)})
	c := w.public()
	got := w.signedIn(c)
	caller, err := w.broker.Verify(t.Context(), got.Access)
	require.NoError(t, err)
	require.Equal(t, []string{"Admin"}, caller.Roles)

	changed := w.fake.Directory()
	asGuest(201)(&changed.Tenants[0])
	changed.Tenants[0].Apps[0].Assignments = nil
	changed.Tenants[0].Users[0].HomeTenant = ""
	changed.Tenants[0].Users[0].DisplayName = "Adele Someone"
	require.NoError(t, w.fake.SetDirectory(changed))
	again, err := w.broker.Verify(t.Context(), got.Access)
	require.NoError(t, err)
	assert.Equal(t, caller.Attributes, again.Attributes, "Entra has not been asked")

	w.later(90 * time.Minute)
	got, status := w.token(refreshing(c, got.Refresh))
	require.Equal(t, 200, status, got.Error)
	again, err = w.broker.Verify(t.Context(), got.Access)
	require.NoError(t, err)
	assert.Equal(t, entra.Attributes{Kind: entra.Member, GroupsIncomplete: true}, again.Attributes)
	assert.Equal(t, "Adele Someone", again.Name)
}
