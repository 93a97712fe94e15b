package server

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/broker"
)

// TestCallerKeysFollowKeysFile rotates the keys. The new public key is published before it signs.
func TestCallerKeysFollowKeysFile(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 31, 9, 0, 0, 0, time.UTC)
	text, err := broker.NewKeysText(rand.Reader)
	require.NoError(t, err)
	shared, err := broker.ReadKeys(text)
	require.NoError(t, err)
	keys := &callerKeys{shared: shared, now: func() time.Time { return now }}
	before := keys.current()
	require.Len(t, before, 1)
	rotated, err := broker.RotateKeysText(text, rand.Reader, now.Add(time.Hour))
	require.NoError(t, err)
	_, err = shared.Replace(rotated)
	require.NoError(t, err)
	published := keys.current()
	require.Len(t, published, 2)
	assert.True(t, published[0].Equal(before[0]))
	now = now.Add(time.Hour)
	after := keys.current()
	assert.True(t, after[0].Equal(published[1]))
	assert.True(t, after[1].Equal(before[0]))
}
