package upstream_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestUnknownStatusIs502(t *testing.T) {
	t.Parallel()
	for _, status := range []string{"000", "099", "600", "999"} {
		t.Run(status, func(t *testing.T) {
			t.Parallel()
			e := fixedAnswer(t, "HTTP/1.1 "+status+" Odd\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
			resp, body := e.send(http.MethodPost, ping)
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

func TestAnswerHasItsLength(t *testing.T) {
	t.Parallel()
	e := fixedFrames(t, "{}", ":status", "200", "content-length", "2", "content-length", "9")
	resp, body := e.send(http.MethodPost, ping)
	assert.Equal(t, "{}", body)
	assert.LessOrEqual(t, len(resp.Header["Content-Length"]), 1)
	e = fixedFrames(t, "", ":status", "204", "content-length", "0")
	resp, _ = e.send(http.MethodPost, ping)
	assert.Equal(t, http.StatusNoContent, resp.StatusCode)
	assert.NotContains(t, resp.Header, "Content-Length", "RFC 9110 section 8.6")
}

func TestMissingContentTypeIsNotGuessed(t *testing.T) {
	t.Parallel()
	const page = "<script>alert(1)</script>"
	resp, body := fixedAnswer(t, "HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\n"+page).send(http.MethodPost, ping)
	assert.Equal(t, page, body)
	assert.NotContains(t, resp.Header, "Content-Type")
}
