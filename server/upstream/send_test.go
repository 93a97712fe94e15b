package upstream_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"

	"mcpentra/server/upstream"
)

var everyMethod = []string{http.MethodPost, http.MethodGet, http.MethodDelete}

// TestARequestIsSentOnceOverHTTP2 has an upstream that answers as those do whose requests a
// transport repeats.
func TestARequestIsSentOnceOverHTTP2(t *testing.T) {
	t.Parallel()
	const first = 1 // stream
	for name, answer := range map[string]func(f *http2.Framer, stream uint32) error{
		"refused stream": func(f *http2.Framer, stream uint32) error {
			return f.WriteRSTStream(stream, http2.ErrCodeRefusedStream)
		},
		"protocol error": func(f *http2.Framer, stream uint32) error {
			return f.WriteRSTStream(stream, http2.ErrCodeProtocol)
		},
		"enhance calm": func(f *http2.Framer, stream uint32) error {
			return f.WriteRSTStream(stream, http2.ErrCodeEnhanceYourCalm)
		},
		"going away": func(f *http2.Framer, stream uint32) error {
			return f.WriteGoAway(stream-first, http2.ErrCodeNo, nil)
		},
	} {
		for _, method := range everyMethod {
			t.Run(name+" "+method, func(t *testing.T) {
				t.Parallel()
				up := newFrameServer(t, answer)
				p := newPlace(t, http.NotFoundHandler(), func(c *upstream.Config) {
					transport := upstream.NewTransport()
					transport.TLSClientConfig = up.trust
					t.Cleanup(transport.CloseIdleConnections)
					c.URL = up.url
					c.Transport = transport
				})
				resp, _ := p.send(method, ping, "Idempotency-Key", "1", "X-Idempotency-Key", "1")
				assert.Equal(t, http.StatusBadGateway, resp.StatusCode)
				assert.EqualValues(t, 1, up.requests.Load())
			})
		}
	}
}

// TestARequestThatReachedTheUpstreamIsNotSentAgain has one that reads a request on a kept
// connection, and hangs up.
func TestARequestThatReachedTheUpstreamIsNotSentAgain(t *testing.T) {
	t.Parallel()
	for _, method := range everyMethod {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			up := newLineServer(t)
			up.hangUp.Store(2)
			p := newPlace(t, http.NotFoundHandler(), func(c *upstream.Config) {
				c.URL = up.url
				c.Transport = nil
				c.Headers = []string{"Idempotency-Key"}
			})
			resp, _ := p.send(http.MethodPost, ping)
			require.Equal(t, http.StatusOK, resp.StatusCode)
			resp, _ = p.send(method, ping, "Idempotency-Key", "1")
			assert.Equal(t, http.StatusBadGateway, resp.StatusCode)
			assert.EqualValues(t, 2, up.requests.Load())
			assert.EqualValues(t, 1, up.connections.Load(), "the second came over the connection of the first")
		})
	}
}

// TestAKeptConnectionThatWasClosedCostsNoCall closes the connections that the proxy keeps, and
// calls at once.
func TestAKeptConnectionThatWasClosedCostsNoCall(t *testing.T) {
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
				together = 1 // they would share a connection, and those that were made for nothing fail in another way
			}
			var runs atomic.Int32
			behind := start(t, func(w http.ResponseWriter, r *http.Request) {
				runs.Add(1)
				_, _ = io.Copy(w, r.Body)
			})
			p := newPlaceBefore(t, behind, nil)
			for range rounds {
				var all sync.WaitGroup
				for range together {
					all.Go(func() {
						resp, err := p.client.Do(p.request(t.Context(), http.MethodPost, ping))
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

func overPlainHTTP(_ *testing.T, handler http.HandlerFunc) *httptest.Server {
	return httptest.NewServer(handler)
}

// A lineServer speaks HTTP/1.1 and hangs up after it has read a request, without an answer.
type lineServer struct {
	url                   string
	requests, connections atomic.Int32
	hangUp                atomic.Int32 // at which request
}

func newLineServer(t *testing.T) *lineServer {
	t.Helper()
	s := &lineServer{}
	s.url = "http://" + serveConnections(t, func(connection net.Conn) {
		s.connections.Add(1)
		for reader := bufio.NewReader(connection); ; {
			r, err := http.ReadRequest(reader)
			if err != nil {
				return
			}
			_, _ = io.ReadAll(r.Body)
			if s.requests.Add(1) >= s.hangUp.Load() {
				return
			}
			_, _ = io.WriteString(connection, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
		}
	})
	return s
}

// A frameServer speaks HTTP/2, and has one answer to all requests.
type frameServer struct {
	url      string
	trust    *tls.Config
	requests atomic.Int32
}

func newFrameServer(t *testing.T, answer func(f *http2.Framer, stream uint32) error) *frameServer {
	t.Helper()
	keys := httptest.NewTLSServer(nil)
	t.Cleanup(keys.Close)
	s := &frameServer{trust: keys.Client().Transport.(*http.Transport).TLSClientConfig.Clone()}
	own := &tls.Config{Certificates: keys.TLS.Certificates, NextProtos: []string{"h2"}}
	s.url = "https://" + serveConnections(t, func(raw net.Conn) {
		connection := tls.Server(raw, own)
		preface := make([]byte, len(http2.ClientPreface))
		if _, err := io.ReadFull(connection, preface); err != nil {
			return
		}
		f := http2.NewFramer(connection, connection)
		if f.WriteSettings() != nil {
			return
		}
		for {
			frame, err := f.ReadFrame()
			if err != nil {
				return
			}
			if settings, is := frame.(*http2.SettingsFrame); is && !settings.IsAck() {
				_ = f.WriteSettingsAck()
			}
			if frame.Header().Flags.Has(http2.FlagDataEndStream) && frame.Header().StreamID != 0 {
				s.requests.Add(1)
				if answer(f, frame.Header().StreamID) != nil {
					return
				}
			}
		}
	})
	return s
}

// serveConnections listens on loopback until the test ends, and returns where.
func serveConnections(t *testing.T, serve func(net.Conn)) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var open sync.Map
	var all sync.WaitGroup
	all.Go(func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			open.Store(connection, nil)
			all.Go(func() {
				defer connection.Close()
				serve(connection)
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		open.Range(func(connection, _ any) bool {
			_ = connection.(net.Conn).Close()
			return true
		})
		all.Wait()
	})
	return strings.TrimPrefix(listener.Addr().String(), "http://")
}
