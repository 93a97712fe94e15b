package client

import (
	"runtime"
	"testing"
)

// AwaitCallers waits until n callers wait for a token.
func AwaitCallers(t *testing.T, transport *Transport, n int) {
	t.Helper()
	worker := transport.tokens.worker
	for {
		worker.mu.Lock()
		callers := worker.callers
		worker.mu.Unlock()
		if callers >= n {
			return
		}
		runtime.Gosched()
	}
}
