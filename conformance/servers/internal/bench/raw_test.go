package bench_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/check"
	"mcpentra/conformance/loopback/loopbacktest"
	"mcpentra/conformance/servers/internal/bench"
)

// sendRaw sends bytes, and returns the server's side of the connection.
func sendRaw(t *testing.T, target bench.Target, text func(p *bench.Probe) []byte) (*bench.Conversation, check.Result) {
	t.Helper()
	var conversation *bench.Conversation
	result := bench.RunAt(t.Context(), must(func(ctx context.Context, p *bench.Probe) error {
		if _, err := p.Token(ctx, bench.Good); err != nil {
			return err
		}
		var err error
		conversation, err = p.Raw(ctx, text(p))
		if err != nil {
			return err
		}
		return p.Mismatch("this", "that")
	}), target, check.R20251125)
	return conversation, result
}

func TestRawSendsAnyBytes(t *testing.T) {
	t.Parallel()
	for _, newServer := range []func(http.Handler) *httptest.Server{httptest.NewServer, httptest.NewTLSServer} {
		lines := make(chan []string, 2)
		server := newServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			assert.Contains(t, string(body), `"initialize"`)
			lines <- r.Header["Authorization"]
			w.WriteHeader(http.StatusTeapot)
		}))
		t.Cleanup(server.Close)
		target := bench.Target{URL: server.URL + "/mcp", HTTPClient: server.Client(), Tokens: tokens(bench.Good)}
		conversation, result := sendRaw(t, target, func(p *bench.Probe) []byte {
			return p.Wire(bench.Request{}, "Authorization: Bearer secret-token-good", "Authorization: Bearer other")
		})
		require.Len(t, conversation.Answers, 1, "%v", result.Err)
		assert.Equal(t, http.StatusTeapot, conversation.Answers[0].Status)
		assert.True(t, conversation.Closed)
		assert.Equal(t, []string{"Bearer secret-token-good", "Bearer other"}, <-lines)
		var mismatch *check.Mismatch
		require.ErrorAs(t, result.Err, &mismatch)
		assert.Contains(t, mismatch.Exchange, "Authorization: Bearer other")
		assert.Contains(t, mismatch.Exchange, "→ 418")
		assert.NotContains(t, mismatch.Exchange, "secret-token-good")
	}
}

// TestRawReadsEveryAnswer counts answers, because a smuggled request shows as a second one.
func TestRawReadsEveryAnswer(t *testing.T) {
	t.Parallel()
	const (
		no       = "HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n"
		ok       = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
		cut      = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi"
		goOn     = "HTTP/1.1 100 Continue\r\n\r\n"
		greeting = "hello\r\n"
	)
	for _, test := range []struct {
		name    string
		answers string
		keep    bool // the connection stays open
		want    []int
	}{
		{"nothing", "", false, nil},
		{"no HTTP", greeting, false, nil},
		{"one", no, false, []int{400}},
		{"two", no + ok, false, []int{400, 200}},
		{"one after an interim one", goOn + ok, false, []int{200}},
		{"one that is cut short", cut, false, []int{200}},
		{"one, and then silence", no, true, []int{400}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			t.Cleanup(func() { _ = listener.Close() })
			go func() {
				connection, err := listener.Accept()
				if err != nil {
					return
				}
				_, _ = http.ReadRequest(bufio.NewReader(connection))
				_, _ = io.WriteString(connection, test.answers)
				if test.keep {
					_, _ = io.Copy(io.Discard, connection) // until the other side hangs up
				}
				_ = connection.Close()
			}()
			target := bench.Target{URL: "http://" + listener.Addr().String() + "/mcp", Tokens: tokens(bench.Good)}
			conversation, result := sendRaw(t, target, func(*bench.Probe) []byte {
				return []byte("GET /mcp HTTP/1.1\r\nHost: x\r\n\r\n")
			})
			require.NotNil(t, conversation, "%v", result.Err)
			var statuses []int
			for _, answer := range conversation.Answers {
				statuses = append(statuses, answer.Status)
			}
			assert.Equal(t, test.want, statuses)
			assert.Equal(t, !test.keep, conversation.Closed)
		})
	}
}

func TestRawNeedsAConnection(t *testing.T) {
	t.Parallel()
	target := bench.Target{URL: "http://127.0.0.1:" + loopbacktest.Port(t), Tokens: tokens(bench.Good)}
	_, result := sendRaw(t, target, func(p *bench.Probe) []byte { return p.Wire(bench.Request{}) })
	assert.Equal(t, check.Error, result.Verdict)
	assert.ErrorContains(t, result.Err, "cannot judge: no connection to the server")
}
