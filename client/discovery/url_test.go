package discovery_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"

	"mcpentra/client/discovery"
)

func TestCheckURLRefuses(t *testing.T) {
	t.Parallel()
	public := &url.URL{Scheme: "https", Host: "mcp.example.com", Path: "/mcp"}
	private := &url.URL{Scheme: "https", Host: "10.0.0.5", Path: "/mcp"}
	local := &url.URL{Scheme: "http", Host: "localhost:8000", Path: "/mcp"}
	for _, c := range []struct {
		name, address string
		server        *url.URL
	}{
		{"http to another machine", "http://as.example.com/a", public},
		{"http to another machine, from a local server", "http://as.example.com/a", local},
		{"another scheme", "file:///etc/passwd", local},
		{"script", "javascript:alert(1)", local},
		{"path", "/a", local},
		{"empty", "", local},
		{"line break", "https://as.example.com/\r\nX: y", public},
		{"user information", "https://user@as.example.com/a", public},
		{"fragment", "https://as.example.com/a#b", public},

		{"localhost, from a public server", "http://localhost/a", public},
		{"https on loopback", "https://127.0.0.1/a", public},
		{"IPv4-mapped loopback", "https://[::ffff:127.0.0.1]/a", public},
		{"name below localhost", "https://as.localhost/a", public},
		{"localhost with a final dot", "https://localhost./a", public},
		{"name that begins with localhost", "http://localhost.example.com/a", local},
		{"name that begins with a loopback address", "http://127.0.0.1.example.com/a", local},
		{"loopback, from a private server", "https://127.0.0.1/a", private},

		{"metadata service", "https://169.254.169.254/latest", public},
		{"metadata service, from a private server", "https://169.254.169.254/latest", private},
		{"metadata service, from a local server", "https://169.254.169.254/latest", local},
		{"private network", "https://10.0.0.1/a", public},
		{"private network of IPv6", "https://[fd00::1]/a", public},
		{"unspecified address", "https://0.0.0.0/a", public},
		{"carrier's network", "https://100.64.0.1/a", public},
		{"private network behind a translator", "https://[64:ff9b::a00:1]/a", public},
		{"private network behind a translator, with a zone", "https://[64:ff9b::a00:1%25eth0]/a", public},
		{"private network behind a tunnel", "https://[2002:a00:1::1]/a", public},

		{"address as one number", "https://2852039166/a", public},
		{"address in hexadecimal", "https://0xa9fea9fe/a", public},
		{"address of two parts", "https://10.1/a", public},
		{"address with a final dot", "https://10.0.0.1./a", public},
		{"circled digits", "https://①②⑦.⓪.⓪.①/", public},
		{"ideographic full stops", "https://127。0。0。1/", public},
		{"0x without digits", "https://127.0.0.0x/", public},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := discovery.CheckURL(c.address, c.server)
			assert.Error(t, err)
		})
	}
}

func TestCheckURLAccepts(t *testing.T) {
	t.Parallel()
	public := &url.URL{Scheme: "https", Host: "mcp.example.com", Path: "/mcp"}
	private := &url.URL{Scheme: "https", Host: "10.0.0.5", Path: "/mcp"}
	local := &url.URL{Scheme: "http", Host: "localhost:8000", Path: "/mcp"}
	for _, c := range []struct {
		name, address string
		server        *url.URL
	}{
		{"https", "https://as.example.com/a", public},
		{"https, from a local server", "https://as.example.com/a", local},
		{"http on loopback, from a local server", "http://127.0.0.1:9000/a", local},
		{"http on the IPv6 loopback, from a local server", "http://[::1]:9000/a", local},
		{"name with a number in it", "https://as1.7.example.com/a", public},
		{"public address", "https://93.184.215.15/a", public},
		{"private network, from a private server", "https://10.0.0.1/a", private},
		{"the server itself", "https://10.0.0.5/a", private},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := discovery.CheckURL(c.address, c.server)
			assert.NoError(t, err)
		})
	}
}
