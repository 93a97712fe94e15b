package server

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestCallTimeoutComesFirst checks that the guard ends a call before the upstream's timeout does.
// Its answer names the setting.
func TestCallTimeoutComesFirst(t *testing.T) {
	t.Parallel()
	assert.Greater(t, responseTimeout(0), 10*time.Minute, "the default of MaxCall")
	assert.Greater(t, responseTimeout(2*time.Hour), 2*time.Hour)
	assert.Negative(t, responseTimeout(-1), "no limit")
}
