package exchange_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"mcpentra/conformance/internal/exchange"
)

func TestLimitsGrowForSlowServers(t *testing.T) {
	t.Parallel()
	for firstAnswer, want := range map[time.Duration]time.Duration{
		-time.Second:     time.Minute,
		0:                time.Minute,
		time.Second:      time.Minute,
		10 * time.Second: time.Minute,
		15 * time.Second: 90 * time.Second,
		30 * time.Second: 3 * time.Minute,
		time.Hour:        time.Hour,
		math.MaxInt64:    time.Hour,
	} {
		assert.Equal(t, want, exchange.Stretch(time.Minute, firstAnswer, 10*time.Second), "%v", firstAnswer)
	}
}
