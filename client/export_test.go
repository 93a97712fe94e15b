package client

import (
	"runtime"
	"testing"
)

// AwaitCallers waits until so many callers want a token.
func AwaitCallers(t *testing.T, transport *Transport, n int) {
	t.Helper()
	for {
		transport.turn.mu.Lock()
		callers := transport.turn.callers
		transport.turn.mu.Unlock()
		if callers >= n {
			return
		}
		runtime.Gosched()
	}
}
