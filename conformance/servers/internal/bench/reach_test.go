package bench_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/check"
	"mcpentra/conformance/loopback/loopbacktest"
	"mcpentra/conformance/servers/internal/bench"
)

// listen starts a TCP server that reads a request from each connection and then serves it with a
// func, and returns its URL.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer connection.Close()
				readRequest(connection)
				serve(connection)
			}()
		}
	}()
	return "http://" + listener.Addr().String() + "/mcp"
}

// readRequest reads a whole request. Without that, net/http may report that the answer came
// unasked, or that the connection was reset.
func readRequest(connection net.Conn) {
	request, err := http.ReadRequest(bufio.NewReader(connection))
	if err == nil {
		_, _ = io.Copy(io.Discard, request.Body)
	}
}

// greet starts a server that speaks first, and returns its URL.
func greet(t *testing.T, greeting string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer connection.Close()
				_, _ = io.WriteString(connection, greeting)
				_, _ = io.Copy(io.Discard, connection)
			}()
		}
	}()
	return "http://" + listener.Addr().String() + "/mcp"
}

func TestTargetThatIsNoEndpointIsOneLine(t *testing.T) {
	t.Parallel()
	dead := listen(t, nil)
	port := strings.TrimSuffix(strings.TrimPrefix(dead, "http://127.0.0.1:"), "/mcp")
	page := serve(http.StatusOK, "text/html", "<p>welcome")
	for _, test := range []struct {
		name string
		url  func(t *testing.T) string
		want string
	}{
		{"dead", func(t *testing.T) string {
			return "http://127.0.0.1:" + loopbacktest.Port(t)
		}, "nothing listens at 127.0.0.1:"},
		{"hanging", handler(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}), "no complete answer from 127.0.0.1:"},
		{"dripping", handler(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			drip(w, r, " ", 20*time.Millisecond)
		}), "for a slow server, allow more with --timeout"},
		{"dripping events", handler(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "text/event-stream")
			drip(w, r, ": \n", 20*time.Millisecond)
		}), "no complete answer from 127.0.0.1:"},
		{"endless", handler(func(w http.ResponseWriter, r *http.Request) {
			drip(w, r, strings.Repeat("x", 1<<20), 0)
		}), "does not end: it has more than 4194304 bytes"},
		{"redirecting in a circle", handler(func(w http.ResponseWriter, r *http.Request) {
			next := map[string]string{"/mcp": "/a", "/a": "/b", "/b": "/mcp"}[r.URL.Path]
			http.Redirect(w, r, next, http.StatusTemporaryRedirect)
		}), "the endpoint redirects in a circle"},
		{"redirecting to ever new addresses", handler(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path+"x", http.StatusFound)
		}), "the endpoint redirects more than 5 times"},
		{"redirecting to the endpoint", handler(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/mcp" {
				http.Redirect(w, r, "/mcp/", http.StatusTemporaryRedirect)
				return
			}
			w.WriteHeader(http.StatusUnauthorized)
		}), "/mcp/; give that URL"},
		{"redirecting to another host", handler(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://other.example/mcp", http.StatusFound)
		}), "the endpoint redirects to https://other.example/mcp"},
		{"a page", handler(page), "this is a web page, the MCP endpoint may be "},
		{"a page beside the endpoint", func(t *testing.T) string {
			return strings.TrimSuffix(handler(beside(page))(t), "/mcp")
		}, "/mcp"},
		{"a page that refuses POST", handler(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet {
				w.WriteHeader(http.StatusMethodNotAllowed)
				return
			}
			page(w, r)
		}), "this is a web page, the MCP endpoint may be "},
		{"another API", handler(serve(http.StatusOK, "application/json", `{"status":"ok"}`)),
			"this is not an MCP endpoint: it answers the first message with status 200"},
		{"nothing there", handler(http.NotFound), "this is not an MCP endpoint (status 404"},
		{"a gateway", handler(serve(http.StatusBadGateway, "text/plain", "no")), "the server answers 502"},
		{"another protocol", func(t *testing.T) string {
			return listen(t, func(c net.Conn) { _, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.6\r\n") })
		}, "does not speak HTTP"},
		{"a protocol that speaks first", func(t *testing.T) string {
			return greet(t, "SSH-2.0-OpenSSH_9.6\r\n")
		}, "does not speak HTTP"},
		{"garbage", func(t *testing.T) string {
			return listen(t, func(c net.Conn) { _, _ = c.Write([]byte("\x00\x01\x02\xff\r\n\r\n")) })
		}, "does not speak HTTP"},
		{"an endless head", func(t *testing.T) string { return listen(t, sendHead) }, "the head of the answer of"},
		{"a silent end", func(t *testing.T) string {
			return listen(t, func(net.Conn) {})
		}, "closes the connection without a complete answer"},
		{"TLS", func(t *testing.T) string {
			server := httptest.NewTLSServer(page)
			t.Cleanup(server.Close)
			return strings.Replace(server.URL, "https", "http", 1)
		}, "the URL may begin with https://"},
		{"no TLS", func(t *testing.T) string {
			return strings.Replace(handler(page)(t), "http", "https", 1)
		}, "the URL may begin with http://"},
		{"an unknown host", func(*testing.T) string {
			return "http://nowhere.invalid:" + port + "/mcp"
		}, "nowhere.invalid"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			target := bench.Target{URL: test.url(t), FirstAnswer: time.Minute}
			if strings.Contains(test.want, "--timeout") || strings.Contains(test.want, "no complete answer") {
				target.FirstAnswer = 500 * time.Millisecond
			}
			_, err := target.Survey(t.Context())
			var unusable *bench.Unusable
			require.ErrorAs(t, err, &unusable)
			assert.Contains(t, err.Error(), test.want)
			assert.NotContains(t, err.Error(), "\n")
		})
	}
}

// handler returns a func that starts a server and returns its URL.
func handler(serve http.HandlerFunc) func(t *testing.T) string {
	return func(t *testing.T) string {
		t.Helper()
		return start(t, serve).URL
	}
}

// sendHead sends a head without end.
func sendHead(c net.Conn) {
	_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\n")
	for err == nil {
		_, err = io.WriteString(c, "X-A: "+strings.Repeat("y", 4000)+"\r\n")
	}
}

// beside returns a handler that serves an MCP endpoint beside a page.
func beside(page http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/mcp" {
			speak(w, r, check.Revisions())
			return
		}
		page(w, r)
	}
}

// drip writes a text again and again until the client is gone.
func drip(w http.ResponseWriter, r *http.Request, text string, pause time.Duration) {
	for r.Context().Err() == nil {
		if _, err := fmt.Fprint(w, text); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
		select {
		case <-time.After(pause):
		case <-r.Context().Done():
		}
	}
}

func TestFirstAnswerMayTakeLonger(t *testing.T) {
	t.Parallel()
	slow := func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(100 * time.Millisecond):
			w.WriteHeader(http.StatusUnauthorized)
		case <-r.Context().Done():
		}
	}
	target := start(t, slow)
	target.Tokens = nil
	target.FirstAnswer = time.Minute
	_, err := target.Survey(t.Context())
	assert.NoError(t, err)
}

func TestServerThatFallsSilentIsOneLine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		target := bench.Target{URL: "http://server.example/mcp", HTTPClient: silentAfter(&asked, 1)}
		began := time.Now()
		_, err := target.Survey(t.Context())
		assert.EqualError(t, err, "the server answered its first request, but then none within 4s; check its log")
		assert.Less(t, time.Since(began), 15*time.Second)
	})
}

func TestServerThatStopsIsFoundOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		target := bench.Target{URL: "http://server.example/mcp", HTTPClient: silentAfter(&asked, 1000)}
		current := must(func(ctx context.Context, p *bench.Probe) error {
			_, err := p.Send(ctx, bench.Request{})
			return err
		})
		bound := target.Bind(current, current)
		assert.Equal(t, check.Pass, bound[0].Run(t.Context())[0].Verdict)
		asked.Store(1000)
		assert.Equal(t, check.Error, bound[0].Run(t.Context())[0].Verdict)
		began := time.Now()
		result := bound[1].Run(t.Context())[0]
		assert.Equal(t, check.Skip, result.Verdict)
		assert.ErrorContains(t, result.Err, "the server no longer answers")
		assert.Zero(t, time.Since(began))
	})
}

// silentAfter returns a client whose server refuses some requests with 401, and then answers no
// more.
func silentAfter(asked *atomic.Int64, answers int64) *http.Client {
	return &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		if asked.Add(1) > answers {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}
		recorder := httptest.NewRecorder()
		recorder.WriteHeader(http.StatusUnauthorized)
		response := recorder.Result()
		response.Request = r
		return response, nil
	})}
}

// A transport is a func that answers requests.
type transport func(*http.Request) (*http.Response, error)

// RoundTrip answers a request.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }
