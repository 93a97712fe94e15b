package fetch_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/broker/fetch"
)

const document = "https://client.example.com/client.json"

func TestRefusedURLs(t *testing.T) {
	t.Parallel()
	e := start(t, says("hello"))
	for _, url := range []string{
		"http://client.example.com/client.json", "https:///client.json",
		"https://user@client.example.com/client.json", "https://client.example.com/client.json#",
		"https://client.example.com/client.json#part", "file:///etc/passwd",
		"https://client.example.com:22/client.json",
		"https://client.example.com:0/client.json", "https://client.example.com:/client.json",
		"https://client.example.com./client.json", "https://clïent.example.com/x",
		"https://%61.example.com/x",
		"https://2130706433/x", "https://0x7f.1/x", "https://127.1/x", "https://0177.0.0.1/x", "https://127.0.0.1/x",
		"https://127.0.0.1:8443/x", "https://[::1]/x", "https://localhost/x", "https://localhost:8443/x",
		"https://a.localhost:8443/x", "https://10.0.0.1/x", "https://[::ffff:10.0.0.1]/x",
		"https://[64:ff9b::a00:1]/x",
		"https://[fe80::1%25eth0]/x", "https://169.254.169.254/x", "",
	} {
		e.mustFail(t, url, fetch.Refused)
	}
	assert.Zero(t, e.dialled.Load())
	e.mustGet(t, document, "hello")
	e.mustGet(t, "https://client.example.com:8443/client.json", "hello")
}

// TestNameOfPrivateAddress has names that resolve to addresses of other networks. A name with a
// public address beside them is reached there.
func TestNameOfPrivateAddress(t *testing.T) {
	t.Parallel()
	e := start(t, says("hello"))
	for _, address := range []string{"127.0.0.1", "10.1.2.3", "::1", "64:ff9b::a00:1", "169.254.169.254"} {
		e.names["client.example.com"] = []netip.Addr{netip.MustParseAddr(address)}
		e.mustFail(t, document, fetch.Refused)
	}
	assert.Zero(t, e.dialled.Load())
	e.names["client.example.com"] = []netip.Addr{netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("8.8.8.8")}
	e.mustGet(t, document, "hello")
	assert.EqualValues(t, 1, e.dialled.Load())
}

// TestRebinding has a name with a public address at first, and a private one for the next fetch.
func TestRebinding(t *testing.T) {
	t.Parallel()
	e := start(t, says("hello", "Cache-Control", "no-store"))
	e.mustGet(t, document, "hello")
	e.names["client.example.com"] = []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	e.mustFail(t, document, fetch.Refused)
	assert.EqualValues(t, 1, e.dialled.Load())
}

func TestListedHosts(t *testing.T) {
	t.Parallel()
	hosts, err := fetch.ParseHosts([]string{"Client.example.com", "127.0.0.1:8443", "local.example.com:9443"})
	require.NoError(t, err)
	e := start(t, says("hello"), func(config *fetch.Config[string]) { config.Hosts = hosts })
	for _, name := range []string{"client.example.com", "local.example.com"} {
		e.names[name] = []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	}
	e.mustGet(t, "https://127.0.0.1:8443/client.json", "hello")
	e.mustGet(t, "https://local.example.com:9443/client.json", "hello")
	e.mustFail(t, "https://127.0.0.1:8444/client.json", fetch.Refused)
	e.mustFail(t, "https://local.example.com/client.json", fetch.Refused)
	e.mustFail(t, document, fetch.Refused) // it is listed without a port
	e.names["local.example.com"] = []netip.Addr{netip.MustParseAddr("10.0.0.1")}
	e.mustFail(t, "https://local.example.com:9443/other.json", fetch.Refused)
	delete(e.names, "client.example.com")
	e.mustGet(t, document, "hello")
	problem := e.mustFail(t, "https://other.example.com/client.json", fetch.Refused)
	assert.ErrorContains(t, problem, "other.example.com:443 is not listed")
}

func TestParseHostsRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "https://example.com", "example.com/x", "*.example.com", "a b", "127.0.0.1", "localhost", "[::1]",
		"example.com:0", "example.com:99999", "bücher.example", "2130706433:80",
	} {
		_, err := fetch.ParseHosts([]string{text})
		assert.Error(t, err, "%q", text)
	}
	hosts, err := fetch.ParseHosts([]string{"[::1]:8443", "localhost:8443", "xn--bcher-kva.example", "8.8.8.8"})
	require.NoError(t, err)
	assert.Equal(t, []fetch.Host{
		{Name: "::1", Port: 8443}, {Name: "localhost", Port: 8443}, {Name: "xn--bcher-kva.example"}, {Name: "8.8.8.8"},
	}, hosts.Listed)
}
