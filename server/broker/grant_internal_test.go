package broker

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/identity"
)

// TestOldGrantHasNoAttributes reads a grant of a version that stored no attributes.
func TestOldGrantHasNoAttributes(t *testing.T) {
	t.Parallel()
	assert.Equal(t, identity.Attributes{Kind: identity.User, GroupsIncomplete: true}, (&grant{}).attributes())
	kept := identity.Attributes{Kind: identity.Guest, KindStated: true, Groups: []string{"g"}}
	assert.Equal(t, kept, (&grant{Attributes: &kept}).attributes())
}

// TestGrantKeepsMemberNames reads a grant as earlier versions stored it.
func TestGrantKeepsMemberNames(t *testing.T) {
	t.Parallel()
	var g grant
	stored := `{"client_id":"c","refresh":"new","previous":"old","successor":"cw=="}`
	require.NoError(t, json.Unmarshal([]byte(stored), &g))
	assert.Equal(t, grant{ClientID: "c", RefreshHash: "new", PreviousHash: "old", Successor: []byte("s")}, g)
}
