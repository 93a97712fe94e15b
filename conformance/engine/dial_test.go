package engine_test

import (
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/engine"
)

func TestAClosedConnectionFreesItsPort(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	connection, err := engine.Dial(t.Context(), "tcp", listener.Addr().String())
	require.NoError(t, err)
	accepted, err := listener.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { _ = accepted.Close() })
	port := connection.LocalAddr().String()
	require.NoError(t, connection.Close())
	_, err = io.Copy(io.Discard, accepted)
	require.Error(t, err, "want a reset")
	require.NoError(t, accepted.Close())
	again, err := net.Listen("tcp", port)
	if assert.NoError(t, err) {
		_ = again.Close()
	}
}
