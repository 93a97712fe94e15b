package directory_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"mcpentra/fakeentra/directory"
)

// Groups can be members of groups, in a circle too.
func TestNestedGroups(t *testing.T) {
	t.Parallel()
	const a, b, c = "A0000000-0000-4000-8000-000000000001", "B0000000-0000-4000-8000-000000000001",
		"C0000000-0000-4000-8000-000000000001"
	tenant := directory.Default().Tenants[0]
	tenant.Groups = []directory.Group{
		{ID: a, DisplayName: "a", Members: []string{b}},
		{ID: b, DisplayName: "b", Members: []string{c, directory.DefaultUserID}},
		{ID: c, DisplayName: "c", Members: []string{a}},
	}
	names := func(groups []*directory.Group) (all string) {
		for _, group := range groups {
			all += group.DisplayName
		}
		return all
	}
	assert.Equal(t, "b", names(tenant.GroupsOf(directory.DefaultUserID)))
	assert.Equal(t, "abc", names(tenant.AllGroupsOf(directory.DefaultUserID)))
	assert.Equal(t, "bc", names(tenant.AllGroupsOf(a)))
	assert.Equal(t, "bc", names(tenant.GroupsIn(a)))
	policy := directory.Policy{Users: []string{a}}
	assert.True(t, policy.Applies(&tenant, &tenant.Users[0], directory.DefaultAPIID), "nested members count")
	d := directory.Directory{Tenants: []directory.Tenant{tenant}}
	assert.NoError(t, d.Check())
	tenant.Groups[0].Members = []string{a}
	assert.ErrorContains(t, d.Check(), `group "a": no user or group has the name or object ID`)
}
