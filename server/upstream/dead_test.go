package upstream_test

import (
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestSilentConnectionIsGivenUp has an upstream whose first connection answers one call and then
// falls silent. It stays open, and later writes are lost.
func TestSilentConnectionIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var connections atomic.Int32
		proxy := proxyToPipes(t, func(connection net.Conn) {
			if connections.Add(1) > 1 {
				answerCalls(connection, -1)
				return
			}
			answerCalls(connection, 1)
		})
		assert.Equal(t, http.StatusOK, callThrough(proxy))
		began := time.Now()
		assert.Equal(t, http.StatusBadGateway, callThrough(proxy))
		assert.Less(t, time.Since(began), 2*time.Minute)
		assert.Equal(t, http.StatusOK, callThrough(proxy))
	})
}

// TestQuietConnectionIsKept has a call that takes longer than pingTimeout. Its upstream answers
// pings.
func TestQuietConnectionIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		proxy := proxyToPipes(t, func(connection net.Conn) { answerCalls(connection, -1) })
		ended := make(chan int)
		go func() { ended <- callThroughAs(proxy, "slow") }()
		assert.Equal(t, http.StatusOK, <-ended)
	})
}
