package loopback_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"mcpentra/server/loopback"
)

func TestHosts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, host   string
		want, strict bool
	}{
		{"name", "localhost", true, true},
		{"name in another case", "LocalHost", true, true},
		{"IPv4", "127.0.0.1", true, true},
		{"another address of 127/8", "127.255.255.254", true, true},
		{"first address of 127/8", "127.0.0.0", true, true},
		{"IPv6", "::1", true, true},
		{"IPv6 in full", "0:0:0:0:0:0:0:1", true, true},
		{"IPv6 with a zone", "::1%lo", true, false},
		{"IPv4 as IPv6", "::ffff:127.0.0.1", true, false},
		{"IPv4 as IPv6 in hex", "::ffff:7f00:1", true, false},
		{"IPv4 as IPv6 with a zone", "::ffff:127.0.0.1%lo", true, false},

		{"nothing", "", false, false},
		{"name with a dot at the end", "localhost.", false, false},
		{"name below localhost", "app.localhost", false, false},
		{"name that begins with localhost", "localhost.evil.example", false, false},
		{"name that ends in localhost", "evil-localhost", false, false},
		{"name with a blank", "localhost ", false, false},
		{"name with a port", "localhost:8000", false, false},
		{"name with the long s", "localho\u017ft", false, false},
		{"name that begins with an address", "127.0.0.1.evil.example", false, false},
		{"IPv4 with a dot at the end", "127.0.0.1.", false, false},
		{"IPv4 in short form", "127.1", false, false},
		{"IPv4 as a number", "2130706433", false, false},
		{"IPv4 in hex", "0x7f.0.0.1", false, false},
		{"IPv4 in octal", "0177.0.0.1", false, false},
		{"IPv4 with leading zeros", "127.000.000.001", false, false},
		{"IPv6 in brackets", "[::1]", false, false},
		{"IPv4-compatible IPv6", "::127.0.0.1", false, false},
		{"NAT64 of IPv4", "64:ff9b::127.0.0.1", false, false},
		{"unspecified IPv4", "0.0.0.0", false, false},
		{"unspecified IPv6", "::", false, false},
		{"neighbour of 127/8", "128.0.0.1", false, false},
		{"link-local", "fe80::1%lo", false, false},
		{"private", "10.0.0.1", false, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, test.want, loopback.IsHost(test.host))
			assert.Equal(t, test.strict, loopback.IsStrictHost(test.host), "strict")
		})
	}
}
