package upstream_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"

	"mcpentra/server/upstream"
)

// TestRequestIsSentOnceOverHTTP2 has an upstream whose answers let net/http repeat a request.
func TestRequestIsSentOnceOverHTTP2(t *testing.T) {
	t.Parallel()
	const first = 1 // stream
	for _, test := range []struct {
		name   string
		answer func(f *http2.Framer, stream uint32) error
	}{
		{"refused stream", func(f *http2.Framer, stream uint32) error {
			return f.WriteRSTStream(stream, http2.ErrCodeRefusedStream)
		}},
		{"protocol error", func(f *http2.Framer, stream uint32) error {
			return f.WriteRSTStream(stream, http2.ErrCodeProtocol)
		}},
		{"enhance calm", func(f *http2.Framer, stream uint32) error {
			return f.WriteRSTStream(stream, http2.ErrCodeEnhanceYourCalm)
		}},
		{"going away", func(f *http2.Framer, stream uint32) error {
			return f.WriteGoAway(stream-first, http2.ErrCodeNo, nil)
		}},
	} {
		for _, method := range everyMethod {
			t.Run(test.name+" "+method, func(t *testing.T) {
				t.Parallel()
				up := newFrameServer(t, test.answer)
				e := newEnv(t, http.NotFoundHandler(), func(c *upstream.Config) {
					transport := upstream.NewTransport()
					transport.TLSClientConfig = up.trust
					t.Cleanup(transport.CloseIdleConnections)
					c.URL = up.url
					c.Transport = transport
				})
				resp, _ := e.send(method, ping, "Idempotency-Key", "1", "X-Idempotency-Key", "1")
				assert.Equal(t, http.StatusBadGateway, resp.StatusCode)
				assert.EqualValues(t, 1, up.requests.Load())
			})
		}
	}
}

// TestReceivedRequestIsNotRepeated has an upstream that reads a request on a reused connection, and
// hangs up.
func TestReceivedRequestIsNotRepeated(t *testing.T) {
	t.Parallel()
	for _, method := range everyMethod {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			up := newHangUpServer(t)
			up.hangUp.Store(2)
			e := newEnv(t, http.NotFoundHandler(), func(c *upstream.Config) {
				c.URL = up.url
				c.Transport = nil
				c.Headers = []string{"Idempotency-Key"}
			})
			resp, _ := e.send(http.MethodPost, ping)
			require.Equal(t, http.StatusOK, resp.StatusCode)
			resp, _ = e.send(method, ping, "Idempotency-Key", "1")
			assert.Equal(t, http.StatusBadGateway, resp.StatusCode)
			assert.EqualValues(t, 2, up.requests.Load())
			assert.EqualValues(t, 1, up.connections.Load(), "the second came over the connection of the first")
		})
	}
}

// TestClosedIdleConnectionCostsNoCall closes the proxy's idle connections, and calls at once.
func TestClosedIdleConnectionCostsNoCall(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T, http.HandlerFunc) *httptest.Server{
		"HTTP/1.1":          overPlainHTTP,
		"HTTP/1.1 with TLS": overTLS,
		"HTTP/2":            overHTTP2,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const rounds = 10
			together := 3
			if name == "HTTP/2" {
				// Several calls would share a connection, and spare connections fail in another
				// way.
				together = 1
			}
			var runs atomic.Int32
			behind := start(t, func(w http.ResponseWriter, r *http.Request) {
				runs.Add(1)
				_, _ = io.Copy(w, r.Body)
			})
			e := newEnvWith(t, behind, nil)
			for range rounds {
				var all sync.WaitGroup
				for range together {
					all.Go(func() {
						resp, err := e.client.Do(e.request(t.Context(), http.MethodPost, ping))
						if assert.NoError(t, err) {
							text, _ := io.ReadAll(resp.Body)
							_ = resp.Body.Close()
							assert.Equal(t, ping, string(text))
						}
					})
				}
				all.Wait()
				behind.CloseClientConnections()
			}
			assert.EqualValues(t, rounds*together, runs.Load())
		})
	}
}
