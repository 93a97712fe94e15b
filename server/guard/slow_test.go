package guard_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/guard"
)

// pipes is a listener whose connections hold nothing back: what one side writes, the other has to
// read.
type pipes struct {
	opened chan net.Conn
	closed context.Context
	cancel context.CancelFunc
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.opened:
		return c, nil
	case <-p.closed.Done():
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.cancel(); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{} }

// serveSlow serves a handler behind a guard, and returns the caller's side of a connection. All of
// it has to be in one bubble.
func serveSlow(t *testing.T, next http.HandlerFunc) net.Conn {
	cfg := config()
	p := &pipes{opened: make(chan net.Conn)}
	p.closed, p.cancel = context.WithCancel(context.Background())
	server := &http.Server{Handler: newGuard(t, cfg, next)}
	go func() { assert.ErrorIs(t, server.Serve(p), http.ErrServerClosed) }()
	caller, accepted := net.Pipe()
	p.opened <- accepted
	t.Cleanup(func() {
		_ = caller.Close()
		assert.NoError(t, server.Close())
		<-time.After(time.Hour) // nothing may be left running
	})
	return caller
}

const slowHead = "POST /mcp HTTP/1.1\r\nHost: mcp.example\r\nAuthorization: Bearer good\r\nContent-Type: application/json\r\n"

// post sends a request for which the caller takes its time: pauses between the first half of the
// body and the second.
func post(t *testing.T, caller net.Conn, body string, pause time.Duration) {
	half := len(body) / 2
	_, err := fmt.Fprintf(caller, "%sContent-Length: %d\r\n\r\n%s", slowHead, len(body), body[:half])
	require.NoError(t, err)
	<-time.After(pause)
	_, err = io.WriteString(caller, body[half:])
	require.NoError(t, err)
}

func TestABodyHasToArriveInTime(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		head string
		want int
	}{
		"of a caller":                {slowHead, http.StatusRequestTimeout},
		"of one who is not let in":   {strings.Replace(slowHead, "good", "bad", 1), http.StatusUnauthorized},
		"of one without a token":     {strings.Replace(slowHead, "Authorization", "X-Other", 1), http.StatusUnauthorized},
		"of one who means no JSON":   {strings.Replace(slowHead, "application/json", "text/plain", 1), http.StatusUnsupportedMediaType},
		"of one who sends no length": {slowHead + "Transfer-Encoding: chunked\r\n", http.StatusRequestTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				caller := serveSlow(t, func(http.ResponseWriter, *http.Request) { t.Error("the handler runs") })
				began := time.Now()
				if !strings.Contains(test.head, "chunked") {
					test.head += "Content-Length: 100\r\n"
				}
				_, err := io.WriteString(caller, test.head+"\r\n40\r\n{")
				require.NoError(t, err)
				answers := bufio.NewReader(caller)
				resp, err := http.ReadResponse(answers, nil)
				require.NoError(t, err)
				assert.Equal(t, test.want, resp.StatusCode)
				assert.Equal(t, guard.DefaultBodyTimeout, time.Since(began), "net/http reads on before it answers")
				_, err = io.Copy(io.Discard, resp.Body)
				require.NoError(t, err)
				_, err = answers.ReadByte()
				assert.ErrorIs(t, err, io.EOF, "the connection is closed")
			})
		})
	}
}

func TestABodyHasToArriveInTimeOverHTTP2(t *testing.T) {
	t.Parallel()
	cfg := config()
	cfg.BodyTimeout = 20 * time.Millisecond
	g := newGuard(t, cfg, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler runs") }))
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Host = "mcp.example"
		g.ServeHTTP(w, r)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	read, write := io.Pipe()
	defer write.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, read)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer good")
	r.Header.Set("Content-Type", "application/json")
	resp, err := server.Client().Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	assert.Equal(t, 2, resp.ProtoMajor)
	assert.Equal(t, http.StatusRequestTimeout, resp.StatusCode)
}

// TestAConnectionGoesOn sends several requests over one connection, with waits before, between and
// behind them: what ends one that is too slow must not hit the next.
func TestAConnectionGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		caller := serveSlow(t, func(w http.ResponseWriter, _ *http.Request) {
			<-time.After(5 * time.Minute)
			_, _ = io.WriteString(w, strings.Repeat("x", 5000))
			<-time.After(5 * time.Minute)
			w.(http.Flusher).Flush()
			<-time.After(5 * time.Minute)
			_, _ = io.WriteString(w, "end")
		})
		answers := bufio.NewReader(caller)
		for range 3 {
			post(t, caller, ping, 14*time.Second)
			resp, err := http.ReadResponse(answers, nil)
			require.NoError(t, err)
			assert.Equal(t, http.StatusOK, resp.StatusCode)
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			assert.Len(t, body, 5003)
			<-time.After(5 * time.Minute)
		}
	})
}

func TestAnAnswerHasToBeRead(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(w http.ResponseWriter) error{
		"a long one": func(w http.ResponseWriter) error {
			_, err := io.WriteString(w, strings.Repeat("x", 1<<20))
			return err
		},
		"an event": func(w http.ResponseWriter) error {
			_, _ = io.WriteString(w, "data: x\n\n")
			w.(http.Flusher).Flush()
			_, err := io.WriteString(w, strings.Repeat("x", 1<<20))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ended := make(chan error, 1)
				caller := serveSlow(t, func(w http.ResponseWriter, _ *http.Request) { ended <- answer(w) })
				began := time.Now()
				post(t, caller, ping, 0)
				assert.Error(t, <-ended)
				assert.Equal(t, guard.DefaultAnswerTimeout, time.Since(began))
				_, err := io.Copy(io.Discard, caller)
				assert.True(t, err == nil || errors.Is(err, io.ErrClosedPipe), "the connection is closed: %v", err)
			})
		})
	}
}
