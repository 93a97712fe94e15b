package broker

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"mcpentra/server/entra"
)

// TestAnOldGrantSaysNothingOfGroups reads a grant that was stored before attributes were kept.
func TestAnOldGrantSaysNothingOfGroups(t *testing.T) {
	t.Parallel()
	assert.Equal(t, entra.Attributes{Kind: entra.Member, GroupsIncomplete: true}, (&grant{}).attributes())
	kept := entra.Attributes{Kind: entra.Guest, KindStated: true, Groups: []string{"g"}}
	assert.Equal(t, kept, (&grant{Attributes: &kept}).attributes())
}
