package broker_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/token"
)

// TestVerifyReadsGrantEachTime verifies a token again and again while the record of its grant
// changes.
func TestVerifyReadsGrantEachTime(t *testing.T) {
	t.Parallel()
	kept := &grantCounter{Store: newMemory()}
	e := newEnv(t, options{store: kept})
	c := e.public()
	got := e.signedIn(c)
	kept.read = 0
	for range 3 {
		require.True(t, e.good(got.Access))
	}
	assert.Equal(t, 3, kept.read)

	kept.down = true
	_, err := e.broker.Verify(t.Context(), got.Access)
	var unavailable *token.UnavailableError
	assert.ErrorAs(t, err, &unavailable, "an earlier reading proves nothing")
	kept.down = false
	assert.True(t, e.good(got.Access))

	caller, err := e.broker.Verify(t.Context(), got.Access)
	require.NoError(t, err)
	record, err := kept.Get(t.Context(), "grant", caller.GrantID)
	require.NoError(t, err)
	whole := record.Value
	record.Value = []byte("damaged")
	record.Version, err = kept.Put(t.Context(), record)
	require.NoError(t, err)
	_, err = e.broker.Verify(t.Context(), got.Access)
	assert.ErrorAs(t, err, &unavailable, "a record that has changed is read")
	record.Value = whole
	_, err = kept.Put(t.Context(), record)
	require.NoError(t, err)
	assert.True(t, e.good(got.Access))

	require.NoError(t, kept.Delete(t.Context(), "grant", caller.GrantID))
	assert.False(t, e.good(got.Access))
}

// TestExpiryHidesNoRevocation verifies a token that has expired, as the guard does while a call
// outlives its token.
func TestExpiryHidesNoRevocation(t *testing.T) {
	t.Parallel()
	kept := &grantCounter{Store: newMemory()}
	e := newEnv(t, options{store: kept})
	c := e.public()
	got := e.signedIn(c)
	caller, err := e.broker.Verify(t.Context(), got.Access)
	require.NoError(t, err)
	e.later(2 * time.Hour)
	var invalid *token.InvalidError
	for range 2 {
		_, err = e.broker.Verify(t.Context(), got.Access)
		require.ErrorAs(t, err, &invalid)
		assert.Equal(t, token.Expired, invalid.Reason)
	}
	kept.down = true
	_, err = e.broker.Verify(t.Context(), got.Access)
	require.ErrorAs(t, err, &invalid, "it has expired, whether or not the store answers")
	assert.Equal(t, token.Expired, invalid.Reason)
	kept.down = false

	require.NoError(t, kept.Delete(t.Context(), "grant", caller.GrantID))
	for range 2 {
		_, err = e.broker.Verify(t.Context(), got.Access)
		require.ErrorAs(t, err, &invalid)
		assert.NotEqual(t, token.Expired, invalid.Reason, "the guard would let a running call continue")
	}
}
