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
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client"
)

// A network has an MCP server and an authorization server at addresses of the test's choice. Both
// are one listener on loopback.
type network struct {
	names map[string]string // addresses that a lookup returns
	peers map[string]string // addresses of connections; all others are private
	login string            // host of the authorization server

	mu        sync.Mutex
	dialed    []string // hosts
	requested []string // hosts
	base      *http.Transport
}

// peerConn is a connection that pretends to end at another address.
type peerConn struct {
	net.Conn
	address net.Addr
}

func (p peerConn) RemoteAddr() net.Addr { return p.address }

func newNetwork(t *testing.T, names, peers map[string]string) *network {
	n := &network{names: names, peers: peers, login: "login.example.com"}
	server := httptest.NewUnstartedServer(n)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // the policy closes connections before their handshake
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
		address, found := n.peers[host]
		if !found {
			address = "10.0.0.7"
		}
		return peerConn{connection, net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(address), 443))}, nil
	}
	t.Cleanup(n.base.CloseIdleConnections)
	return n
}

func (n *network) lookup(_ context.Context, host string) ([]netip.Addr, error) {
	var all []netip.Addr
	for _, address := range strings.Fields(n.names[host]) {
		all = append(all, netip.MustParseAddr(address))
	}
	if all == nil {
		return nil, errors.New("no addresses of that host")
	}
	return all, nil
}

func (n *network) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	n.requested = append(n.requested, r.Host)
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

// hasDialed reports whether the client connected to a host.
func (n *network) hasDialed(host string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Contains(n.dialed, host)
}

// hasRequested reports whether a host got a request.
func (n *network) hasRequested(host string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Contains(n.requested, host)
}

// get sends a request to the MCP server through a Transport. The sign-in needs no person.
func (n *network) get(t *testing.T) (*http.Response, error) {
	t.Helper()
	const endpoint = "https://mcp.example.com/mcp"
	under, err := client.New(client.Config{
		Server:       endpoint,
		Base:         n.base,
		LookupIP:     n.lookup,
		ClientID:     "machine",
		ClientSecret: "secret",
		Unattended:   client.ClientCredentials{},
	})
	require.NoError(t, err)
	return (&http.Client{Transport: under}).Get(endpoint)
}

// TestAddressPolicyChecksNames: the server names an authorization server, whose name resolves to an
// address.
func TestAddressPolicyChecksNames(t *testing.T) {
	t.Parallel()
	const mcp, login = "mcp.example.com", "login.example.com"
	const public, private, cloud = "8.8.8.2", "10.0.0.7", "169.254.169.254"
	const mapped, translated = "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"
	const refused = " is not a public address"
	for _, c := range []struct {
		name                 string
		server, lookup, peer string
		says                 string // empty if the sign-in succeeds
		dialed               bool
	}{
		{"a public address", "8.8.8.1", public, public, "", true},
		{"a cloud's metadata service", "8.8.8.1", cloud, cloud, cloud + refused, false},
		{"the same, mapped to IPv6", "8.8.8.1", mapped, cloud, refused, false},
		{"the same, through a translator", "8.8.8.1", translated, translated, refused, false},
		{"a private address", "8.8.8.1", private, private, private + refused, false},
		{"loopback", "8.8.8.1", "127.0.0.1", "127.0.0.1", "127.0.0.1" + refused, false},
		{"a public and a private address", "8.8.8.1", public + " " + private, public, private + refused, false},
		{"another address when connected", "8.8.8.1", public, cloud, cloud + refused, true},
		{"an unknown name", "8.8.8.1", "", private, private + refused, true},
		{"private, from a private server", "10.0.0.6", private, private, "", true},
		{"a cloud's metadata, from a private server", "10.0.0.6", cloud, cloud, cloud + refused, false},
		{"loopback, from a private server", "10.0.0.6", "127.0.0.1", "127.0.0.1", "127.0.0.1" + refused, false},
		{"loopback, from a loopback server", "127.0.0.1", "127.0.0.1", "127.0.0.1", "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			names := map[string]string{mcp: c.server, login: c.lookup}
			n := newNetwork(t, names, map[string]string{mcp: c.server, login: c.peer})
			response, err := n.get(t)
			if c.says == "" {
				require.NoError(t, err)
				require.NoError(t, response.Body.Close())
				assert.Equal(t, http.StatusOK, response.StatusCode)
				return
			}
			require.ErrorContains(t, err, c.says)
			assert.Contains(t, err.Error(), login)
			assert.Equal(t, c.dialed, n.hasDialed(login))
			assert.False(t, n.hasRequested(login))
		})
	}
}

// TestAddressPolicyChecksOtherSpellings: the dialed name is spelt in another way than the written
// one.
func TestAddressPolicyChecksOtherSpellings(t *testing.T) {
	t.Parallel()
	for _, login := range []string{"LOGIN.example.com", "lögin.example.com", "login。example.com"} {
		names := map[string]string{"mcp.example.com": "8.8.8.1"}
		n := newNetwork(t, names, names)
		n.login = login
		_, err := n.get(t)
		assert.ErrorContains(t, err, "10.0.0.7 is not a public address", login)
	}
}

// TestAddressPolicyIgnoresProxysAddress: a proxy on a private network reaches a public server. The
// server may still name no private address.
func TestAddressPolicyIgnoresProxysAddress(t *testing.T) {
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
		return peerConn{connection, net.TCPAddrFromAddrPort(netip.MustParseAddrPort("10.0.0.1:3128"))}, err
	}
	_, err := n.get(t)
	require.ErrorContains(t, err, "10.0.0.7 is not a public address")
	assert.True(t, n.hasRequested(mcp), "the server was reached")
	assert.False(t, n.hasRequested(login))
}
