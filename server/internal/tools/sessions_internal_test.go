package tools

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSessionListIsBounded(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	var over []string
	list := newSessionList(3, func() time.Time { return now }, func(id string) { over = append(over, id) })
	valid := func(id string) bool {
		terminated, err := list.Validate(id)
		require.False(t, terminated)
		return err == nil
	}
	first := list.Generate()
	assert.GreaterOrEqual(t, len(first), 26, "128 random bits")
	assert.True(t, valid(first))
	assert.False(t, valid("made-up"))

	now = now.Add(59 * time.Minute)
	assert.True(t, valid(first))
	now = now.Add(59 * time.Minute)
	assert.True(t, valid(first), "its use has prolonged it")
	now = now.Add(time.Hour)
	assert.False(t, valid(first))
	assert.Equal(t, []string{first}, over)

	var ids []string
	for range 5 {
		ids = append(ids, list.Generate())
	}
	assert.False(t, valid(ids[0]))
	assert.False(t, valid(ids[1]))
	assert.True(t, valid(ids[4]))
	_, err := list.Terminate(ids[4])
	require.NoError(t, err)
	assert.False(t, valid(ids[4]))
	assert.Len(t, over, 4)
}
