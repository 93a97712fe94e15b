package broker

import (
	"testing"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"
)

func TestLimitersInUseAreKept(t *testing.T) {
	t.Parallel()
	limiters, err := lru.New[string, *rate.Limiter](2)
	require.NoError(t, err)
	busy := limiter(limiters, "busy", 1, 1)
	limiter(limiters, "once", 1, 1)
	limiter(limiters, "busy", 1, 1)
	limiter(limiters, "another", 1, 1)
	assert.Same(t, busy, limiter(limiters, "busy", 1, 1), "the limiter without use for longest goes first")
}
