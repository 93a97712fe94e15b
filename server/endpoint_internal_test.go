package server

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestACallEndsBeforeTheUpstreamIsBlamed: who waits for a slow upstream learns which setting ended
// the call.
func TestACallEndsBeforeTheUpstreamIsBlamed(t *testing.T) {
	t.Parallel()
	assert.Greater(t, responseTimeout(0), 10*time.Minute, "the default of MaxCall")
	assert.Greater(t, responseTimeout(2*time.Hour), 2*time.Hour)
	assert.Negative(t, responseTimeout(-1), "no limit")
}
