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

// accepted returns both ends of a connection of a listener. A write to one end waits until the
// other end reads.
func accepted(t *testing.T, timeout time.Duration) (ours, theirs net.Conn) {
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

func TestConnEndsIfPeerDoesNotRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ours, _ := accepted(t, 0)
		began := time.Now()
		_, err := ours.Write([]byte("an answer"))
		assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
		assert.Equal(t, 15*time.Second, time.Since(began))
	})
}

func TestConnLastsWhilePeerReads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := accepted(t, 10*time.Second)
		go func() { _, _ = io.Copy(io.Discard, theirs) }()
		for _, seconds := range []int{0, 1, 4, 9, 60, 3600} {
			pause := time.Duration(seconds) * time.Second
			<-time.After(pause)
			_, err := ours.Write([]byte("event"))
			assert.NoError(t, err, pause)
		}
	})
}

func TestConnRenewsItsDeadlineAfterAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := accepted(t, 10*time.Second)
		go func() {
			var first [1]byte
			_, _ = theirs.Read(first[:])
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

func TestConnClosesWriteSide(t *testing.T) {
	t.Parallel()
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	listener := server.NewListener(plain, 0)
	t.Cleanup(func() { _ = listener.Close() })
	caller, err := net.Dial("tcp", plain.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = caller.Close() })
	conn, err := listener.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	writer, ok := conn.(interface{ CloseWrite() error })
	require.True(t, ok, "net/http needs the method")
	require.NoError(t, writer.CloseWrite())
	read, err := io.ReadAll(caller)
	require.NoError(t, err)
	assert.Empty(t, read)
	_, err = io.WriteString(caller, "still sending")
	require.NoError(t, err)
	require.NoError(t, caller.(*net.TCPConn).CloseWrite())
	read, err = io.ReadAll(conn)
	require.NoError(t, err)
	assert.Equal(t, "still sending", string(read))
}
