package directory_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra/directory"
)

func TestResourcesOfTheExample(t *testing.T) {
	t.Parallel()
	file, err := directory.Parse("example.yaml", []byte(directory.Example))
	require.NoError(t, err)
	d := file.Directory()
	azure := d.MicrosoftAPI("https://management.azure.com/")
	require.NotNil(t, azure)
	assert.Equal(t, azure, d.MicrosoftAPI(azure.ID))
	assert.NotNil(t, d.ScopeOf(azure, "user_impersonation"))
	assert.Nil(t, d.MicrosoftAPI(directory.GraphAppID), "Graph has its own rules")
	graph := &directory.App{ID: directory.GraphAppID}
	assert.True(t, d.ScopeOf(graph, "preview.read.all").AdminOnly)
	assert.NotNil(t, d.RoleOf(graph, "Preview.Read.All"))
	assert.Nil(t, d.ScopeOf(graph, "Other.Read.All"))

	var again directory.Directory
	text, err := d.MarshalJSON()
	require.NoError(t, err)
	require.NoError(t, again.UnmarshalJSON(text))
	assert.Equal(t, d, again)
}

// A directory file with an unknown permission is refused, and the refusal says how to declare it.
func TestUnknownPermissions(t *testing.T) {
	t.Parallel()
	const app = "tenants:\n- domains: [a.example]\n  apps:\n  - displayName: x\n"
	const resource = "tenants:\n- domains: [a.example]\nresources:\n- displayName: y\n"
	for _, test := range []struct {
		text string
		want string
	}{
		{app + "    permissions: [User.Read, https://graph.microsoft.com/Mail.Send, openid, .default]", ""},
		{app + "    permissions: [https://unknown.example/anything]", ""},
		{app + "    applicationPermissions: [User.Read.All]", ""},
		{
			app + "    permissions:\n    - User.Raed",
			`d.yaml:6: app "x": Microsoft Graph has no delegated permission "User.Raed"; correct its name, ` +
				`or declare it: a resource with id 00000003-0000-0000-c000-000000000000 and the key scopes`,
		},
		{app + "    consented: [access_as_user]", `d.yaml:5: app "x": Microsoft Graph has no delegated`},
		{
			app + "    applicationPermissions: [User.Read]",
			`d.yaml:5: app "x": Microsoft Graph has no application permission "User.Read"; correct its name, ` +
				`or declare it: a resource with id 00000003-0000-0000-c000-000000000000 and the key roles`,
		},
		{
			app + "    identifierUris: [https://a.example/api]\n    permissions: [https://a.example/api/read]",
			`d.yaml:6: app "x": the API "x" has no delegated permission "read"; correct its name, ` +
				`or declare it under the key scopes of the API`,
		},
		{resource, `d.yaml:4: resource "y": want a unique GUID as ID`},
		{resource + "  id: 797f4846-ba00-4fd7-a1ba-dab1e2ca2a2d", "want an identifier URI"},
		{
			resource + "  id: 797f4846-ba00-4fd7-a1ba-dab1e2ca2a2d\n  identifierUris: [https://x.example/]",
			"d.yaml:6: resource \"y\": want an absolute URI without a slash at its end",
		},
		{
			resource + "  id: 00000003-0000-0000-c000-000000000000\n  scopes: [{name: User.Read}]",
			`d.yaml:6: resource "y": Microsoft Graph has the permission "User.Read" already`,
		},
	} {
		_, err := directory.Parse("d.yaml", []byte(test.text))
		if test.want == "" {
			assert.NoError(t, err, test.text)
			continue
		}
		require.Error(t, err, test.text)
		assert.Contains(t, strings.ReplaceAll(err.Error(), "\n", " "), test.want, test.text)
	}
}
