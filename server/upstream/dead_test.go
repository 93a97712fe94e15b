package upstream_test

import (
	"bytes"
	"context"
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
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"mcpentra/server/guard"
	"mcpentra/server/upstream"
)

// TestAConnectionThatDiesSilentlyIsGivenUp has an upstream whose first connection answers one call
// and then nothing: it is not closed, and what is written to it is lost.
func TestAConnectionThatDiesSilentlyIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var connections atomic.Int32
		proxy := proxyToPipes(t, func(connection net.Conn) {
			if connections.Add(1) > 1 {
				answerCalls(connection, -1)
				return
			}
			answerCalls(connection, 1)
		})
		assert.Equal(t, http.StatusOK, callThrough(proxy))
		began := time.Now()
		assert.Equal(t, http.StatusBadGateway, callThrough(proxy))
		assert.Less(t, time.Since(began), 2*time.Minute)
		assert.Equal(t, http.StatusOK, callThrough(proxy))
	})
}

// TestAQuietConnectionIsKept has a call that takes longer than an answer to a ping may. Its
// upstream answers pings.
func TestAQuietConnectionIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		proxy := proxyToPipes(t, func(connection net.Conn) { answerCalls(connection, -1) })
		ended := make(chan int)
		go func() { ended <- callThroughAs(proxy, "slow") }()
		assert.Equal(t, http.StatusOK, <-ended)
	})
}

// proxyToPipes is a proxy whose connections, of HTTP/2 without TLS, are pipes to serve.
func proxyToPipes(t *testing.T, serve func(net.Conn)) *upstream.Proxy {
	t.Helper()
	transport := upstream.NewTransport()
	transport.Protocols = new(http.Protocols)
	transport.Protocols.SetUnencryptedHTTP2(true)
	var theirs []net.Conn
	transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
		ours, other := net.Pipe()
		theirs = append(theirs, other)
		go serve(other)
		return ours, nil
	}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		for _, one := range theirs {
			_ = one.Close()
		}
	})
	proxy, err := upstream.New(upstream.Config{
		URL:       "http://inner.example/mcp",
		Issuer:    "https://mcp.example",
		Keys:      signingKeys(),
		Transport: transport,
	})
	require.NoError(t, err)
	return proxy
}

// answerCalls answers so many calls, and then nothing any more; -1 means all. A call with the user
// agent "slow" takes five minutes.
func answerCalls(connection net.Conn, calls int) {
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(connection, preface); err != nil {
		return
	}
	writes := make(chan func(*http2.Framer), 100)
	f := http2.NewFramer(connection, connection)
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	defer close(writes)
	go func() {
		for write := range writes {
			write(f)
		}
	}()
	writes <- func(f *http2.Framer) { _ = f.WriteSettings() }
	slow := false
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return
		}
		if calls == 0 {
			continue
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				writes <- func(f *http2.Framer) { _ = f.WriteSettingsAck() }
			}
		case *http2.PingFrame:
			data := frame.Data
			writes <- func(f *http2.Framer) { _ = f.WritePing(true, data) }
		case *http2.MetaHeadersFrame:
			for _, field := range frame.RegularFields() {
				slow = slow || field.Name == "user-agent" && field.Value == "slow"
			}
		case *http2.DataFrame:
			if !frame.StreamEnded() {
				continue
			}
			calls--
			stream := frame.StreamID
			answer := func(f *http2.Framer) { writeOK(f, stream) }
			if slow {
				time.AfterFunc(5*time.Minute, func() { writes <- answer })
			} else {
				writes <- answer
			}
		}
	}
}

func writeOK(f *http2.Framer, stream uint32) {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	_ = encoder.WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
	head := http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true}
	_ = f.WriteHeaders(head)
	_ = f.WriteData(stream, true, []byte("{}"))
}

func callThrough(proxy *upstream.Proxy) (status int) { return callThroughAs(proxy, "program") }

func callThroughAs(proxy *upstream.Proxy, agent string) (status int) {
	ctx, cancel := context.WithTimeout(guard.NewContext(context.Background(), &adele), time.Hour)
	defer cancel()
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, resource, strings.NewReader(ping))
	r.Header.Set("User-Agent", agent)
	w := httptest.NewRecorder()
	proxy.ServeHTTP(w, r)
	return w.Code
}
