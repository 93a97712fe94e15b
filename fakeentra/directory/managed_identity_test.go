package directory_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra/directory"
)

func TestManagedIdentities(t *testing.T) {
	t.Parallel()
	file, err := directory.Parse("file", []byte(`
tenants:
  - displayName: Contoso
    domains: [contoso.example]
    managedIdentities:
      - displayName: Host
        systemAssigned: true
    apps:
      - displayName: API
        assignments: [{principal: Host}]
`))
	require.NoError(t, err)
	identity := file.Tenants[0].ManagedIdentities[0]
	assert.True(t, directory.IsGUID(identity.ID))
	assert.NotEqual(t, identity.ID, identity.ObjectID)
	assert.Equal(t, identity.ObjectID, file.Tenants[0].Apps[0].Assignments[0].Principal)

	for _, test := range []struct{ keys, want string }{
		{"id: host", "file:6: managed identity \"Host\": want a unique GUID as ID"},
		{"objectId: host", "file:6: managed identity \"Host\": want a GUID as object ID"},
		{"resourceId: host", "file:6: managed identity \"Host\": want an ID like /subscriptions/…"},
		{"systemAssigned: true", "file:6: managed identity \"Host\": want at most one system-assigned identity"},
	} {
		_, err := directory.Parse("file", []byte(`tenants:
  - displayName: Contoso
    managedIdentities:
      - {displayName: First, systemAssigned: true}
      - displayName: Host
        `+test.keys))
		assert.ErrorContains(t, err, test.want)
	}
}
