package loopback_test

import (
	"net"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/loopback"
)

// TestFreePortIsNotAssigned wants ports that can be listened at, and that the system gives to no
// connection.
func TestFreePortIsNotAssigned(t *testing.T) {
	t.Parallel()
	for range 20 {
		port, err := loopback.FreePort()
		require.NoError(t, err)
		number, err := strconv.Atoi(port)
		require.NoError(t, err)
		assert.Less(t, number, 32768)
		listener, err := net.Listen("tcp", "127.0.0.1:"+port)
		require.NoError(t, err)
		require.NoError(t, listener.Close())
	}
}
