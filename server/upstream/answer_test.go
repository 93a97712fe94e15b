package upstream_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"mcpentra/server/upstream"
)

// fixedAnswer is an upstream that speaks HTTP/1.1 and has one answer to all requests.
func fixedAnswer(t *testing.T, answer string) *place {
	t.Helper()
	address := serveConnections(t, func(connection net.Conn) {
		r, err := http.ReadRequest(bufio.NewReader(connection))
		if err != nil {
			return
		}
		_, _ = io.ReadAll(r.Body)
		_, _ = io.WriteString(connection, answer)
	})
	return newPlace(t, http.NotFoundHandler(), func(c *upstream.Config) { c.URL = "http://" + address })
}

// fixedFrames is the same over HTTP/2.
func fixedFrames(t *testing.T, body string, fields ...string) *place {
	t.Helper()
	server := newFrameServer(t, func(f *http2.Framer, stream uint32) error {
		var block bytes.Buffer
		encoder := hpack.NewEncoder(&block)
		for i := 0; i < len(fields); i += 2 {
			_ = encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
		}
		head := http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true}
		if err := f.WriteHeaders(head); err != nil {
			return err
		}
		return f.WriteData(stream, true, []byte(body))
	})
	transport := upstream.NewTransport()
	transport.TLSClientConfig = server.trust
	t.Cleanup(transport.CloseIdleConnections)
	return newPlace(t, http.NotFoundHandler(), func(c *upstream.Config) {
		c.URL = server.url
		c.Transport = transport
	})
}

func TestAStatusThatDoesNotExistIsNoAnswer(t *testing.T) {
	t.Parallel()
	for _, status := range []string{"000", "099", "600", "999"} {
		t.Run(status, func(t *testing.T) {
			t.Parallel()
			p := fixedAnswer(t, "HTTP/1.1 "+status+" Odd\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
			resp, body := p.send(http.MethodPost, ping)
			assert.Equal(t, http.StatusBadGateway, resp.StatusCode)
			assert.Contains(t, body, "no usable answer")
		})
	}
	for _, status := range []string{"0", "99", "-5", "600", "10000"} {
		t.Run("HTTP/2 "+status, func(t *testing.T) {
			t.Parallel()
			resp, _ := fixedFrames(t, "{}", ":status", status).send(http.MethodPost, ping)
			assert.Equal(t, http.StatusBadGateway, resp.StatusCode)
		})
	}
}

func TestAnAnswerHasTheLengthThatWasRead(t *testing.T) {
	t.Parallel()
	p := fixedFrames(t, "{}", ":status", "200", "content-length", "2", "content-length", "9")
	resp, body := p.send(http.MethodPost, ping)
	assert.Equal(t, "{}", body)
	assert.LessOrEqual(t, len(resp.Header["Content-Length"]), 1)
	p = fixedFrames(t, "", ":status", "204", "content-length", "0")
	resp, _ = p.send(http.MethodPost, ping)
	assert.Equal(t, http.StatusNoContent, resp.StatusCode)
	assert.NotContains(t, resp.Header, "Content-Length", "RFC 9110 section 8.6")
}

func TestATypeThatTheUpstreamDoesNotNameIsNotGuessed(t *testing.T) {
	t.Parallel()
	const page = "<script>alert(1)</script>"
	resp, body := fixedAnswer(t, "HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\n"+page).send(http.MethodPost, ping)
	assert.Equal(t, page, body)
	assert.NotContains(t, resp.Header, "Content-Type")
}
