package exchange

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestPausesCountLittle(t *testing.T) {
	t.Parallel()
	clock := newClock()
	now := clock.latest
	for range 50 {
		now = now.Add(tick)
		clock.advance(now)
	}
	assert.Equal(t, 50*tick, clock.Elapsed(), "a process that runs")
	now = now.Add(time.Hour)
	clock.advance(now)
	assert.Equal(t, 52*tick, clock.Elapsed(), "a process that stood still for an hour")
}
