package guard_test

import (
	"bufio"
	"errors"
	"io"
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

func TestBodyHasToArriveInTime(t *testing.T) {
	t.Parallel()
	const chunked = "Transfer-Encoding: chunked\r\n"
	withoutToken := strings.Replace(slowHead, "Authorization", "X-Other", 1)
	for _, test := range []struct {
		name, head string
		want       int
	}{
		{"good token", slowHead, http.StatusRequestTimeout},
		{"bad token", strings.Replace(slowHead, "good", "bad", 1), http.StatusUnauthorized},
		{"no token", withoutToken, http.StatusUnauthorized},
		{"no token, and the connection ends", withoutToken + "Connection: close\r\n", http.StatusUnauthorized},
		{"no JSON", strings.Replace(slowHead, "application/json", "text/plain", 1), http.StatusUnsupportedMediaType},
		{"no length", slowHead + chunked, http.StatusRequestTimeout},
		{"unknown session", slowHead + "Mcp-Session-Id: x\r\n", http.StatusNotFound},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client := serveSlow(t, func(http.ResponseWriter, *http.Request) { t.Error("the handler runs") })
				began := time.Now()
				if !strings.Contains(test.head, "chunked") {
					test.head += "Content-Length: 100\r\n"
				}
				_, err := io.WriteString(client, test.head+"\r\n40\r\n{")
				require.NoError(t, err)
				answers := bufio.NewReader(client)
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

func TestBodyHasToArriveInTimeOverHTTP2(t *testing.T) {
	t.Parallel()
	config := baseConfig()
	config.BodyTimeout = 20 * time.Millisecond
	g := newGuard(t, config, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler runs") }))
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

// TestTimeoutsDoNotReachNextRequest sends several slow requests over one connection.
func TestTimeoutsDoNotReachNextRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := serveSlow(t, func(w http.ResponseWriter, _ *http.Request) {
			<-time.After(5 * time.Minute)
			_, _ = io.WriteString(w, strings.Repeat("x", 5000))
			<-time.After(5 * time.Minute)
			w.(http.Flusher).Flush()
			<-time.After(5 * time.Minute)
			_, _ = io.WriteString(w, "end")
		})
		answers := bufio.NewReader(client)
		for range 3 {
			postSlowly(t, client, ping, 14*time.Second)
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

func TestAnswerHasToBeRead(t *testing.T) {
	t.Parallel()
	writeMuch := func(w http.ResponseWriter) error {
		_, err := io.WriteString(w, strings.Repeat("x", 1<<20))
		return err
	}
	for _, test := range []struct {
		name   string
		answer func(w http.ResponseWriter) error
	}{
		{"long answer", writeMuch},
		{"event", func(w http.ResponseWriter) error {
			_, _ = io.WriteString(w, "data: x\n\n")
			w.(http.Flusher).Flush()
			return writeMuch(w)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ended := make(chan error, 1)
				client := serveSlow(t, func(w http.ResponseWriter, _ *http.Request) { ended <- test.answer(w) })
				began := time.Now()
				postSlowly(t, client, ping, 0)
				assert.Error(t, <-ended)
				assert.Equal(t, guard.DefaultAnswerTimeout, time.Since(began))
				_, err := io.Copy(io.Discard, client)
				assert.True(t, err == nil || errors.Is(err, io.ErrClosedPipe), "the connection is closed: %v", err)
			})
		})
	}
}
