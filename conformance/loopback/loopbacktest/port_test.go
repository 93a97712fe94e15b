package loopbacktest_test

import (
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/loopback/loopbacktest"
)

// TestPort listens at the port, which then refuses connections no longer.
func TestPort(t *testing.T) {
	t.Parallel()
	address := "127.0.0.1:" + loopbacktest.Port(t)
	_, err := net.Dial("tcp", address)
	assert.Error(t, err)
	listener, err := net.Listen("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	connection, err := net.Dial("tcp", address)
	require.NoError(t, err)
	require.NoError(t, connection.Close())
}
