package server_test

import (
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server"
)

func TestAConnectionIsHalfClosed(t *testing.T) {
	t.Parallel()
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	listener := server.NewListener(plain, 0)
	t.Cleanup(func() { _ = listener.Close() })
	caller, err := net.Dial("tcp", plain.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = caller.Close() })
	accepted, err := listener.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { _ = accepted.Close() })
	half, can := accepted.(interface{ CloseWrite() error })
	require.True(t, can, "net/http looks for it")
	require.NoError(t, half.CloseWrite())
	read, err := io.ReadAll(caller)
	require.NoError(t, err)
	assert.Empty(t, read)
	_, err = io.WriteString(caller, "still sending")
	require.NoError(t, err)
	require.NoError(t, caller.(*net.TCPConn).CloseWrite())
	read, err = io.ReadAll(accepted)
	require.NoError(t, err)
	assert.Equal(t, "still sending", string(read))
}
