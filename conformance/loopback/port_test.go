package loopback_test

import (
	"net"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/loopback"
)

// TestReservePort reserves so many ports that two would be the same if they were only chosen. The
// system gives none of them to a connection.
func TestReservePort(t *testing.T) {
	t.Parallel()
	reserved := map[string]bool{}
	for range 400 {
		port, release, err := loopback.ReservePort()
		require.NoError(t, err)
		t.Cleanup(release)
		require.False(t, reserved[port], "%s was reserved already", port)
		reserved[port] = true
		number, err := strconv.Atoi(port)
		require.NoError(t, err)
		assert.Less(t, number, 32768)
		listener, err := net.Listen("tcp", "127.0.0.1:"+port)
		require.NoError(t, err)
		require.NoError(t, listener.Close())
	}
}

// TestReleasedPortIsFree listens at the second port of a reservation, which keeps the first.
func TestReleasedPortIsFree(t *testing.T) {
	t.Parallel()
	port, release, err := loopback.ReservePort()
	require.NoError(t, err)
	number, err := strconv.Atoi(port)
	require.NoError(t, err)
	second := net.JoinHostPort("127.0.0.1", strconv.Itoa(number+8500))
	_, err = net.Listen("tcp", second)
	require.ErrorContains(t, err, "in use")
	release()
	listener, err := net.Listen("tcp", second)
	require.NoError(t, err)
	require.NoError(t, listener.Close())
}
