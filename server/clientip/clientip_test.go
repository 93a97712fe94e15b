package clientip_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/clientip"
)

func TestAddress(t *testing.T) {
	t.Parallel()
	trusted := []string{"10.0.0.0/8", "127.0.0.1", "::1", "fd00::/8"}
	const proxy = "10.0.0.1:9"
	tests := []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"untrusted peer", "192.0.2.7:9", []string{"198.51.1.1"}, "192.0.2.7"},
		{"proxy without the header", proxy, nil, "10.0.0.1"},
		{"one proxy", proxy, []string{"198.51.1.1"}, "198.51.1.1"},
		{"entry of the client in front", proxy, []string{"9.9.9.9, 198.51.1.1"}, "198.51.1.1"},
		{"chain", proxy, []string{"9.9.9.9, 198.51.1.1,10.9.9.9 ,\t127.0.0.1"}, "198.51.1.1"},
		{"made-up proxies", proxy, []string{"10.1.1.1, 10.2.2.2, 198.51.1.1"}, "198.51.1.1"},
		{"proxies alone", proxy, []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"several lines", proxy, []string{"9.9.9.9", "198.51.1.1", "10.0.0.2"}, "198.51.1.1"},
		{"lines", proxy, []string{"9.9.9.9, 198.51.1.1", "10.0.0.3, 10.0.0.2"}, "198.51.1.1"},
		{"port", proxy, []string{"198.51.1.1:4711"}, "198.51.1.1"},
		{"IPv6", "[fd00::1]:9", []string{"2001:db8::1"}, "2001:db8::1"},
		{"IPv6 in brackets", "[::1]:9", []string{"[2001:db8::1]"}, "2001:db8::1"},
		{"IPv6 with a port", "[::1]:9", []string{"[2001:db8::1]:443"}, "2001:db8::1"},
		{"zone", "[::1]:9", []string{"fe80::1%eth0"}, "fe80::1"},
		{"peer with a zone", "[fe80::1%eth0]:9", nil, "fe80::1"},
		{"mapped peer", "[::ffff:10.0.0.1]:9", []string{"198.51.1.1"}, "198.51.1.1"},
		{"mapped entry", proxy, []string{"::ffff:198.51.1.1"}, "198.51.1.1"},
		{"mapped proxy", proxy, []string{"198.51.1.1, [::ffff:10.0.0.2]:80"}, "198.51.1.1"},
		{"garbage", proxy, []string{"198.51.1.1, unknown"}, "10.0.0.1"},
		{"garbage behind a proxy", proxy, []string{"198.51.1.1, _hidden, 10.0.0.2"}, "10.0.0.2"},
		{"garbage in front", proxy, []string{"<script>, 198.51.1.1"}, "198.51.1.1"},
		{"empty entry", proxy, []string{"198.51.1.1,"}, "10.0.0.1"},
		{"empty line", proxy, []string{""}, "10.0.0.1"},
		{"unspecified address", proxy, []string{"0.0.0.0"}, "10.0.0.1"},
		{"IPv4 in brackets", proxy, []string{"[198.51.1.1]"}, "10.0.0.1"},
		{"open bracket", proxy, []string{"[2001:db8::1"}, "10.0.0.1"},
		{"host name", proxy, []string{"localhost"}, "10.0.0.1"},
		{"octal number", proxy, []string{"0198.51.1.1"}, "10.0.0.1"},
		{"long entry", proxy, []string{"fe80::1%" + strings.Repeat("z", 100)}, "10.0.0.1"},
		{"quotes, as in Forwarded", proxy, []string{`"198.51.1.1"`}, "10.0.0.1"},
		{"peer without an address", "@", []string{"198.51.1.1"}, "invalid IP"},
		{"many proxies", proxy, []string{strings.Repeat("10.0.0.2,", 5000) + "10.0.0.3"}, "10.0.0.2"},
		{"many entries", proxy, []string{strings.Repeat("9.9.9.9,", 5000) + "198.51.1.1"}, "198.51.1.1"},
	}
	proxies, err := clientip.ParseProxies(trusted)
	require.NoError(t, err)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := &http.Request{RemoteAddr: test.peer, Header: http.Header{}}
			if test.forwarded != nil {
				r.Header["X-Forwarded-For"] = test.forwarded
			}
			r.Header["X-Real-Ip"] = []string{"203.0.113.77"}
			r.Header["X_forwarded_for"] = []string{"203.0.113.77"}
			assert.Equal(t, test.want, proxies.Address(r).String())
		})
	}
	t.Run("no trusted proxies", func(t *testing.T) {
		t.Parallel()
		r := &http.Request{RemoteAddr: "127.0.0.1:9", Header: http.Header{"X-Forwarded-For": {"198.51.1.1"}}}
		assert.Equal(t, "127.0.0.1", clientip.Proxies(nil).Address(r).String())
	})
}

func TestParseProxies(t *testing.T) {
	t.Parallel()
	good := []string{"10.0.0.7", "10.1.0.0/16", "fd00::/8", "::1", "::ffff:192.0.2.1", "::ffff:198.51.100.0/120"}
	proxies, err := clientip.ParseProxies(good)
	require.NoError(t, err)
	assert.Equal(t, "[10.0.0.7/32 10.1.0.0/16 fd00::/8 ::1/128 192.0.2.1/32 198.51.100.0/24]", fmt.Sprint(proxies))
	for text, want := range map[string]string{
		"":                  "not an address",
		"proxy.example":     "not an address",
		"*":                 "not an address",
		"10.0.0.1:80":       "not an address",
		"10.0.0":            "not an address",
		"10.0.0.0/33":       "not an address",
		"10.0.0.0/":         "not an address",
		"10.0.0.0/-1":       "not an address",
		"[::1]":             "not an address",
		"fe80::1%eth0":      "zone",
		"fe80::%eth0/64":    "not an address",
		"10.0.0.5/8":        "write 10.0.0.0/8",
		"0.0.0.0/0":         "every address",
		"::/0":              "every address",
		"::ffff:0.0.0.0/96": "every address",
	} {
		_, err := clientip.ParseProxies([]string{"10.0.0.1", text})
		assert.ErrorContains(t, err, want, "%q", text)
	}
	_, err = clientip.ParseProxies(make([]string, 1001))
	assert.ErrorContains(t, err, "at most 1000")
}

func TestNetwork(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"192.0.2.77":         "192.0.2.0/24",
		"::ffff:192.0.2.77":  "192.0.2.0/24",
		"2001:db8:1:ff00::1": "2001:db8:1::/48",
		"fe80::1%eth0":       "fe80::/48",
	} {
		assert.Equal(t, want, clientip.Network(netip.MustParseAddr(address)).String(), address)
	}
	assert.Zero(t, clientip.Network(netip.Addr{}))
}
