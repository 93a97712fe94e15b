package broker

import (
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestReadRefreshTokenOfEarlierVersion reads a token as earlier versions made it: a counter of four
// bytes before 32 random bytes.
func TestReadRefreshTokenOfEarlierVersion(t *testing.T) {
	t.Parallel()
	keys, err := NewKeys(rand.Reader)
	require.NoError(t, err)
	b := &Broker{config: Config{Keys: keys, Rand: rand.Reader, Now: time.Now}}
	text := "grant-id.AAAAAQ" + strings.Repeat("A", 42)
	grantID, ok := b.readRefreshToken(refreshPrefix + text + "." + keys.mark(time.Now(), text))
	assert.True(t, ok)
	assert.Equal(t, "grant-id", grantID)

	made, err := b.newRefreshToken("grant-id")
	require.NoError(t, err)
	assert.Len(t, made, len(refreshPrefix+text)+1+22, "earlier versions read new tokens")
}
