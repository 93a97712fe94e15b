package vocabulary_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/servers/internal/vocabulary"
)

func TestEveryLineIsInKnownList(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("names.tsv")
	require.NoError(t, err)
	lists := []vocabulary.List{
		vocabulary.Query, vocabulary.Cookie, vocabulary.TokenHeader, vocabulary.Scheme, vocabulary.Subprotocol,
		vocabulary.BodyMember, vocabulary.Identity, vocabulary.AddressHeader, vocabulary.Address,
		vocabulary.ProbeAgent, vocabulary.ProbeHeader, vocabulary.Internal, vocabulary.InternalValue,
		vocabulary.Caller, vocabulary.MethodHeader, vocabulary.MethodParameter, vocabulary.RewriteHeader,
		vocabulary.PublicPath, vocabulary.HostHeader, vocabulary.Spelling, vocabulary.Sibling,
		vocabulary.HTTPMethod, vocabulary.MediaType, vocabulary.Accept, vocabulary.ContentCoding,
		vocabulary.Flag, vocabulary.Host, vocabulary.ClientName,
	}
	count := 0
	for _, list := range lists {
		seen := map[vocabulary.Name]bool{}
		for _, name := range vocabulary.Of(list) {
			assert.False(t, seen[name], "%s: %v is there twice", list, name)
			seen[name] = true
			count++
		}
		assert.NotEmpty(t, seen, list)
	}
	lines := strings.Count(string(text), "\n")
	assert.Equal(t, lines-1, count, "one line is the title; each other line needs a list and three columns")
}
