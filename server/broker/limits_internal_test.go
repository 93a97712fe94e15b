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

func TestDefaultsOfLimits(t *testing.T) {
	t.Parallel()
	assert.Equal(t, Limits{ClientPerMinute: 60, WrongPerMinute: 10, Pending: 10_000}, Limits{}.withDefaults(120))
	assert.Equal(t, 1, Limits{}.withDefaults(1).ClientPerMinute)
	assert.Equal(t, -1, Limits{}.withDefaults(-1).ClientPerMinute)
	set := Limits{ClientPerMinute: 7, WrongPerMinute: -1, Pending: 100, FetchesAtOnce: 2}
	assert.Equal(t, set, set.withDefaults(120))
}
