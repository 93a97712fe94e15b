package guard_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// deadlines is a connection's side of a ResponseWriter that remembers the deadlines it was given.
type deadlines struct {
	*httptest.ResponseRecorder
	read, write []time.Time
}

func (d *deadlines) SetReadDeadline(at time.Time) error  { d.read = append(d.read, at); return nil }
func (d *deadlines) SetWriteDeadline(at time.Time) error { d.write = append(d.write, at); return nil }

func TestEveryWaitHasAnEnd(t *testing.T) {
	t.Parallel()
	next := &recorder{answer: func(w http.ResponseWriter, _ *http.Request) {
		for range 3 {
			_, _ = io.WriteString(w, "data: x\n\n")
			w.(http.Flusher).Flush()
		}
	}}
	w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	newGuard(t, config(), next).ServeHTTP(w, request(http.MethodPost, ping))
	require.Len(t, w.read, 2, "for the body, and none for what comes after it")
	assert.WithinRange(t, w.read[0], time.Now().Add(5*time.Second), time.Now().Add(16*time.Second))
	assert.True(t, w.read[1].IsZero())
	require.Len(t, w.write, 7, "for each piece of the answer, and none for the next request")
	for _, at := range w.write[:6] {
		assert.WithinRange(t, at, time.Now().Add(50*time.Second), time.Now().Add(61*time.Second))
	}
	assert.True(t, w.write[6].IsZero())
}

// TestAConnectionGoesOnAfterADeadline sends several requests over one connection: a deadline of one must not hit the next.
func TestAConnectionGoesOnAfterADeadline(t *testing.T) {
	t.Parallel()
	g := newGuard(t, config(), &recorder{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Host = "mcp.example"
		g.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	connection, err := net.Dial("tcp", strings.TrimPrefix(server.URL, "http://"))
	require.NoError(t, err)
	defer connection.Close()
	answers := bufio.NewReader(connection)
	for range 3 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader(ping))
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer good")
		r.Header.Set("Content-Type", "application/json")
		require.NoError(t, r.Write(connection))
		resp, err := http.ReadResponse(answers, r)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, resp.Body)
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, resp.StatusCode)
		assert.False(t, resp.Close)
	}
}
