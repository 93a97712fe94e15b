package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client"
)

// A network has an MCP server and an authorization server at addresses of the test's choosing. Both
// are one listener on loopback.
type network struct {
	names map[string]string // what a lookup says
	wired map[string]string // where a connection ends up; others are on a network of our own
	login string            // the name of the authorization server

	mu     sync.Mutex
	dialed []string
	asked  []string
	base   *http.Transport
}

// placed is a connection whose other end says that it has another address.
type placed struct {
	net.Conn
	address net.Addr
}

func (p placed) RemoteAddr() net.Addr { return p.address }

func newNetwork(t *testing.T, names, wired map[string]string) *network {
	n := &network{names: names, wired: wired, login: "login.example.com"}
	server := httptest.NewUnstartedServer(n)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // connections that are given up before they are used
	server.StartTLS()
	t.Cleanup(server.Close)
	n.base = server.Client().Transport.(*http.Transport).Clone()
	n.base.TLSClientConfig.ServerName = "example.com" // what the certificate is for
	n.base.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		n.mu.Lock()
		n.dialed = append(n.dialed, host)
		n.mu.Unlock()
		connection, err := (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
		if err != nil {
			return nil, err
		}
		address, found := n.wired[host]
		if !found {
			address = "10.0.0.7"
		}
		return placed{connection, net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(address), 443))}, nil
	}
	t.Cleanup(n.base.CloseIdleConnections)
	return n
}

func (n *network) lookup(_ context.Context, host string) ([]netip.Addr, error) {
	var all []netip.Addr
	for _, one := range strings.Fields(n.names[host]) {
		all = append(all, netip.MustParseAddr(one))
	}
	if all == nil {
		return nil, errors.New("no such host")
	}
	return all, nil
}

func (n *network) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	n.asked = append(n.asked, r.Host)
	n.mu.Unlock()
	issuer := "https://" + n.login
	w.Header().Set("Content-Type", "application/json")
	switch r.URL.Path {
	case "/.well-known/oauth-protected-resource/mcp":
		fmt.Fprintf(w, `{"resource":"https://mcp.example.com/mcp","authorization_servers":[%q]}`, issuer)
	case "/.well-known/oauth-authorization-server":
		fmt.Fprintf(w, `{"issuer":%[1]q,"token_endpoint":"%[1]s/token"}`, issuer)
	case "/token":
		fmt.Fprint(w, `{"access_token":"secret-access","token_type":"Bearer"}`)
	default:
		if r.Header.Get("Authorization") == "" {
			w.Header().Set("WWW-Authenticate", "Bearer")
			w.WriteHeader(http.StatusUnauthorized)
		}
	}
}

func (n *network) seen(of func(*network) []string, host string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Contains(strings.Join(of(n), " "), host)
}

// TestNamesThatLeadAstray has a server name an authorization server whose name leads to where the
// server has no business.
func TestNamesThatLeadAstray(t *testing.T) {
	t.Parallel()
	const mcp, login = "mcp.example.com", "login.example.com"
	const cloud, refused = "169.254.169.254", " is not a public address"
	for name, c := range map[string]struct {
		server, looked, wired string
		says                  string // empty where there is nothing wrong
		dialed                bool
	}{
		"public":                            {"8.8.8.1", "8.8.8.2", "8.8.8.2", "", true},
		"the metadata service of a cloud":   {"8.8.8.1", cloud, cloud, cloud + refused, false},
		"the same, to IPv6":                 {"8.8.8.1", "::ffff:169.254.169.254", cloud, refused, false},
		"the same, through a translator":    {"8.8.8.1", "64:ff9b::a9fe:a9fe", "64:ff9b::a9fe:a9fe", refused, false},
		"a network of our own":              {"8.8.8.1", "10.0.0.7", "10.0.0.7", "10.0.0.7" + refused, false},
		"this machine":                      {"8.8.8.1", "127.0.0.1", "127.0.0.1", "127.0.0.1" + refused, false},
		"one right address and one wrong":   {"8.8.8.1", "8.8.8.2 10.0.0.7", "8.8.8.2", "10.0.0.7" + refused, false},
		"another address when connected to": {"8.8.8.1", "8.8.8.2", cloud, cloud + refused, true},
		"a name that nobody can look up":    {"8.8.8.1", "", "10.0.0.7", "10.0.0.7" + refused, true},
		"a network of our own, from there":  {"10.0.0.6", "10.0.0.7", "10.0.0.7", "", true},
		"a cloud's metadata, from there":    {"10.0.0.6", cloud, cloud, cloud + refused, false},
		"this machine, from our network":    {"10.0.0.6", "127.0.0.1", "127.0.0.1", "127.0.0.1" + refused, false},
		"this machine, from there":          {"127.0.0.1", "127.0.0.1", "127.0.0.1", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNetwork(
				t,
				map[string]string{mcp: c.server, login: c.looked},
				map[string]string{mcp: c.server, login: c.wired},
			)
			under, err := client.New(client.Config{
				Server:       "https://" + mcp + "/mcp",
				Base:         n.base,
				LookupIP:     n.lookup,
				ClientID:     "machine",
				ClientSecret: "secret",
				Unattended:   client.ClientCredentials{},
			})
			require.NoError(t, err)
			response, err := (&http.Client{Transport: under}).Get("https://" + mcp + "/mcp")
			if c.says == "" {
				require.NoError(t, err)
				require.NoError(t, response.Body.Close())
				assert.Equal(t, http.StatusOK, response.StatusCode)
				return
			}
			require.ErrorContains(t, err, c.says)
			assert.Contains(t, err.Error(), login)
			assert.Equal(t, c.dialed, n.seen(func(n *network) []string { return n.dialed }, login))
			assert.False(t, n.seen(func(n *network) []string { return n.asked }, login), "nothing was sent there")
		})
	}
}

// TestNamesInOtherLetters has names that are connected to in another spelling than they are written
// in.
func TestNamesInOtherLetters(t *testing.T) {
	t.Parallel()
	for _, login := range []string{"LOGIN.example.com", "lögin.example.com", "login。example.com"} {
		names := map[string]string{"mcp.example.com": "8.8.8.1"}
		n := newNetwork(t, names, names)
		n.login = login
		under, err := client.New(client.Config{
			Server:       "https://mcp.example.com/mcp",
			Base:         n.base,
			LookupIP:     n.lookup,
			ClientID:     "machine",
			ClientSecret: "secret",
			Unattended:   client.ClientCredentials{},
		})
		require.NoError(t, err)
		_, err = (&http.Client{Transport: under}).Get("https://mcp.example.com/mcp")
		assert.ErrorContains(t, err, "10.0.0.7 is not a public address", login)
	}
}

// TestANearProxyMakesAServerNoNearer reaches a server through a proxy on a network of our own. It
// may name nothing there for that.
func TestANearProxyMakesAServerNoNearer(t *testing.T) {
	t.Parallel()
	const mcp, login, gateway = "mcp.example.com", "login.example.com", "proxy.example.com"
	names := map[string]string{mcp: "8.8.8.1", login: "10.0.0.7"}
	n := newNetwork(t, names, names)
	direct := n.base.DialContext
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		far, err := direct(context.Background(), "tcp", r.RequestURI)
		if !assert.NoError(t, err) {
			return
		}
		defer far.Close()
		near, _, err := http.NewResponseController(w).Hijack()
		if !assert.NoError(t, err) {
			return
		}
		defer near.Close()
		_, _ = io.WriteString(near, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(far, near) }()
		_, _ = io.Copy(near, far)
	}))
	t.Cleanup(proxy.Close)
	n.base.Proxy = func(r *http.Request) (*url.URL, error) {
		if r.URL.Hostname() == login {
			return nil, nil
		}
		return &url.URL{Scheme: "http", Host: gateway + ":3128"}, nil
	}
	n.base.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if address != gateway+":3128" {
			return direct(ctx, network, address)
		}
		connection, err := (&net.Dialer{}).DialContext(ctx, network, proxy.Listener.Addr().String())
		return placed{connection, net.TCPAddrFromAddrPort(netip.MustParseAddrPort("10.0.0.1:3128"))}, err
	}
	under, err := client.New(client.Config{
		Server:       "https://" + mcp + "/mcp",
		Base:         n.base,
		LookupIP:     n.lookup,
		ClientID:     "machine",
		ClientSecret: "secret",
		Unattended:   client.ClientCredentials{},
	})
	require.NoError(t, err)
	_, err = (&http.Client{Transport: under}).Get("https://" + mcp + "/mcp")
	require.ErrorContains(t, err, "10.0.0.7 is not a public address")
	assert.True(t, n.seen(func(n *network) []string { return n.asked }, mcp), "the server was reached")
	assert.False(t, n.seen(func(n *network) []string { return n.asked }, login))
}
