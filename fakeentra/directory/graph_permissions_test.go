package directory

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestGraphPermissions(t *testing.T) {
	t.Parallel()
	assert.Greater(t, len(GraphScopes()), 600)
	assert.Greater(t, len(GraphRoles()), 500)
	assert.NotSame(t, &GraphScopes()[0], &GraphScopes()[0], "a caller changes its own list")
	assert.NotSame(t, &GraphRoles()[0], &GraphRoles()[0])
	graph := App{ID: GraphAppID, Scopes: GraphScopes(), Roles: GraphRoles()}
	for name, adminOnly := range map[string]bool{
		"Files.Read.All":       false,
		"Group.Read.All":       true,
		"Directory.Read.All":   true,
		"Mail.Send":            false,
		"User.ReadBasic.All":   false,
		"user.read":            false,
		"GroupMember.Read.All": true,
		"offline_access":       false,
	} {
		scope := graph.ScopeNamed(name)
		require.NotNil(t, scope, name)
		assert.Equal(t, adminOnly, scope.AdminOnly, name)
	}
	assert.Nil(t, graph.ScopeNamed("Mail.ReadBasic.All"), "only an app can have it")
	assert.Nil(t, graph.ScopeNamed("access_as_user"))
	assert.NotNil(t, graph.RoleNamed("user.read.all"))
	assert.Nil(t, graph.RoleNamed("User.Read"), "only a person can give it")
	for name := range graphTexts {
		assert.NotNil(t, graph.ScopeNamed(name), "%s has a text but does not exist", name)
	}
}

func TestReadGraphPermissions(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"User.Read\tuser",
		"User.Read\tanyone\t-",
		"User.Read\tuser\tuser",
		"User.Read\tuser\t-\nuser.read\tuser\t-",
	} {
		_, err := readGraphPermissions([]byte(text))
		assert.Error(t, err, text)
	}
}
