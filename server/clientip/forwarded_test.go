package clientip_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/clientip"
)

// TestForwarded has lines of Forwarded, and the address that counts behind the proxies in
// 10.0.0.0/8. The peer is 10.0.0.1.
func TestForwarded(t *testing.T) {
	t.Parallel()
	proxies, err := clientip.ParseProxies([]string{"10.0.0.0/8"})
	require.NoError(t, err)
	const peer = "10.0.0.1"
	for _, tried := range []struct {
		lines []string
		want  string
	}{
		{[]string{"for=192.0.2.1"}, "192.0.2.1"},
		{[]string{"FOR=192.0.2.1;proto=https;by=10.0.0.1"}, "192.0.2.1"},
		{[]string{`proto=https; for="192.0.2.1:4711"`}, "192.0.2.1"},
		{[]string{`for="[2001:db8::7]:4711"`}, "2001:db8::7"},
		{[]string{`for="[2001:db8::7]"`}, "2001:db8::7"},
		{[]string{"for=192.0.2.9, for=192.0.2.1"}, "192.0.2.1"},
		{[]string{"for=192.0.2.9, for=192.0.2.1, for=10.0.0.2"}, "192.0.2.1"},
		{[]string{"for=192.0.2.9", "for=192.0.2.1", "for=10.0.0.2"}, "192.0.2.1"},
		{[]string{`for=192.0.2.1;host="a,b", for=10.0.0.2`}, "192.0.2.1"},
		{[]string{`for="evil, for=192.0.2.1`}, "192.0.2.1"}, // the client left a quotation mark open
		{[]string{`for="192.0.2.9, for=192.0.2.9", for=192.0.2.1`}, "192.0.2.1"},
		{[]string{"for=unknown"}, peer},
		{[]string{"for=_hidden"}, peer},
		{[]string{"for=192.0.2.9, for=_hidden, for=10.0.0.2"}, "10.0.0.2"},
		{[]string{"proto=https"}, peer},
		{[]string{""}, peer},
		{[]string{"for=192.0.2.1;for=192.0.2.9"}, peer},
		{[]string{`for="192.0.2.\\1"`}, peer},
		{[]string{`for=192.0.2.1;host="a`}, peer},
		{[]string{"for=192.0.2.1;host=" + strings.Repeat("a", 2000)}, peer},
		{[]string{strings.Repeat("for=10.0.0.2,", 10_000) + "for=10.0.0.2"}, "10.0.0.2"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = peer + ":1234"
		r.Header["Forwarded"] = tried.lines
		assert.Equal(t, tried.want, proxies.Address(r).String(), "%.100q", tried.lines)
		r.RemoteAddr = "198.51.100.7:1234"
		assert.Equal(t, "198.51.100.7", proxies.Address(r).String(), "not a proxy")
	}
}

// TestBothHeaders has requests with X-Forwarded-For and Forwarded. The proxy may write only one of
// them, so they count only if they agree.
func TestBothHeaders(t *testing.T) {
	t.Parallel()
	proxies, err := clientip.ParseProxies([]string{"10.0.0.0/8"})
	require.NoError(t, err)
	for _, tried := range []struct{ common, standard, want string }{
		{"192.0.2.1", "for=192.0.2.1", "192.0.2.1"},
		{"192.0.2.1", "for=192.0.2.9", "10.0.0.1"},
		{"192.0.2.1", "for=unknown", "10.0.0.1"},
		{"", "for=192.0.2.1", "10.0.0.1"},
		{"192.0.2.1, 10.0.0.2", "for=192.0.2.1", "192.0.2.1"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = "10.0.0.1:1234"
		r.Header.Set("X-Forwarded-For", tried.common)
		r.Header.Set("Forwarded", tried.standard)
		assert.Equal(t, tried.want, proxies.Address(r).String(), "%v", tried)
	}
}
