package loopback_test

import (
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/loopback"
)

func TestCloseFreesPort(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	free := false
	for range 10 { // another program may take the port first, but not each time
		connection, err := loopback.Dial(t.Context(), "tcp", listener.Addr().String())
		require.NoError(t, err)
		accepted, err := listener.Accept()
		require.NoError(t, err)
		port := connection.LocalAddr().String()
		require.NoError(t, connection.Close())
		_, err = io.Copy(io.Discard, accepted)
		require.Error(t, err, "want a reset")
		require.NoError(t, accepted.Close())
		if again, err := net.Listen("tcp", port); err == nil {
			free = true
			_ = again.Close()
			break
		}
	}
	assert.True(t, free)
}
