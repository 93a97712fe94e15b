package server_test

import (
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server"
)

// oneConn is a listener with one connection.
type oneConn struct{ net.Conn }

func (l oneConn) Accept() (net.Conn, error) { return l.Conn, nil }
func (l oneConn) Addr() net.Addr            { return l.LocalAddr() }

// writer is a connection of a listener whose other side is the reader: what one writes the other
// has to read.
func writer(t *testing.T, timeout time.Duration) (ours, theirs net.Conn) {
	t.Helper()
	near, far := net.Pipe()
	ours, err := server.NewListener(oneConn{near}, timeout).Accept()
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = ours.Close()
		_ = far.Close()
	})
	return ours, far
}

func TestWhoDoesNotReadIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ours, _ := writer(t, 0)
		began := time.Now()
		_, err := ours.Write([]byte("an answer"))
		assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
		assert.Equal(t, 15*time.Second, time.Since(began))
	})
}

func TestWhoReadsIsWrittenToForAsLongAsItTakes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := writer(t, 10*time.Second)
		go func() { _, _ = io.Copy(io.Discard, theirs) }()
		for _, pause := range []time.Duration{0, time.Second, 4 * time.Second, 9 * time.Second, time.Minute, time.Hour} {
			<-time.After(pause)
			_, err := ours.Write([]byte("event"))
			assert.NoError(t, err, pause)
		}
	})
}

func TestADeadlineThatSomebodySetsIsNotTakenForOurs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := writer(t, 10*time.Second)
		go func() {
			var one [1]byte
			_, _ = theirs.Read(one[:])
		}()
		_, err := ours.Write([]byte("x"))
		require.NoError(t, err)
		require.NoError(t, ours.SetWriteDeadline(time.Time{}), "as net/http does between requests")
		began := time.Now()
		_, err = ours.Write([]byte("y"))
		assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
		assert.Equal(t, 10*time.Second, time.Since(began))
	})
}

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
