package bench

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestLargeRequestsHaveMoreTime tries the time limit alone: a connection would wait for it.
func TestLargeRequestsHaveMoreTime(t *testing.T) {
	t.Parallel()
	assert.Equal(t, 5*time.Second, patience(0))
	assert.Equal(t, 5*time.Second, patience(20_000))
	assert.Equal(t, 12*time.Second, patience(2_000_000))
	assert.Equal(t, 21*time.Second, patience(4<<20))
}
