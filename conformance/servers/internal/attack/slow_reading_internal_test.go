package attack

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestOneStallIsNoStandstill counts the requests at the end of each period.
func TestOneStallIsNoStandstill(t *testing.T) {
	t.Parallel()
	seen := standstill{sent: 3}
	var certain []bool
	for _, sent := range []int64{3, 4, 4, 9, 9, 9} {
		certain = append(certain, seen.isCertain(sent))
	}
	assert.Equal(t, []bool{false, false, false, false, false, true}, certain)
}
