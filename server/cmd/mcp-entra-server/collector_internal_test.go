package main

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestCollectorWaits checks the pace at which garbage is collected, by the bytes in use.
func TestCollectorWaits(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		live    uint64
		percent int
	}{
		{0, 400},
		{1 << 20, 400},
		{4 << 20, 400},
		{5 << 20, 300},
		{8 << 20, 150},
		{10 << 20, 100},
		{20 << 20, 100},
		{1 << 40, 100},
	} {
		t.Run(fmt.Sprint(test.live), func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, test.percent, collectorPercent(test.live))
		})
	}
}

func TestAfterEachCollection(t *testing.T) {
	t.Parallel()
	calls := make(chan struct{})
	afterEachCollection(func() {
		select {
		case calls <- struct{}{}:
		case <-t.Context().Done():
		}
	})
	for range 3 {
		// A collection before the last call has returned is not noticed.
		called := func() bool {
			runtime.GC()
			select {
			case <-calls:
				return true
			case <-time.After(10 * time.Millisecond):
				return false
			}
		}
		assert.Eventually(t, called, time.Minute, time.Millisecond)
	}
}
