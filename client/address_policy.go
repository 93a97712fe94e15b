package client

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"sync/atomic"

	"mcpentra/client/discovery"
)

// An addressPolicy keeps a server from pointing the sign-in at hosts that it should not reach (MCP
// Security Best Practices, Server-Side Request Forgery). discovery.CheckURL checks the addresses as
// written. The policy checks what their host names resolve to, at each connection.
type addressPolicy struct {
	server *url.URL
	lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	off    bool
	proxy  func(*http.Request) (*url.URL, error)
	peer   atomic.Pointer[netip.Addr] // the server's address; nil before the first connection, and behind a proxy
}

// transport applies the policy to a transport. A server on this machine may name any address, and
// only an *http.Transport has connections that can be checked; otherwise the policy is off. The
// transport that it returns keeps no connections: the requests are few, an old connection may break
// under a code, and no caller would close idle ones.
func (p *addressPolicy) transport(base http.RoundTripper) http.RoundTripper {
	shared, ok := base.(*http.Transport)
	if !ok {
		p.off = true
		return base
	}
	p.off = discovery.IsLoopback(p.server.Hostname())
	if !p.off {
		p.proxy = shared.Proxy
	}
	own := p.own(shared)
	own.DisableKeepAlives = true
	return p.marking(own)
}

// preparing is transport for the requests of a sign-in before the person is asked. They follow each
// other at once, so it keeps their connections until closeIdle is called. Call it after transport.
func (p *addressPolicy) preparing(base http.RoundTripper) (prepared http.RoundTripper, closeIdle func()) {
	shared, ok := base.(*http.Transport)
	if !ok {
		return base, func() {}
	}
	own := p.own(shared)
	return p.marking(own), own.CloseIdleConnections
}

// own returns a copy of a transport whose connections the policy checks.
func (p *addressPolicy) own(shared *http.Transport) *http.Transport {
	own := shared.Clone()
	if p.off {
		return own
	}
	own.DialContext = p.dialer(shared.DialContext)
	if shared.DialTLSContext != nil {
		own.DialTLSContext = p.dialer(shared.DialTLSContext)
	}
	return own
}

func (p *addressPolicy) marking(own *http.Transport) http.RoundTripper {
	if p.off {
		return own
	}
	return policyTransport{p, own}
}

// policyTransport marks the requests that go through a proxy.
type policyTransport struct {
	policy *addressPolicy
	next   *http.Transport
}

// viaProxy is the context key of a request through a proxy. The proxy resolves the host name.
type viaProxy struct{}

func (t policyTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	if t.policy.usesProxy(request) {
		request = request.WithContext(context.WithValue(request.Context(), viaProxy{}, true))
	}
	return t.next.RoundTrip(request)
}

func (p *addressPolicy) usesProxy(request *http.Request) bool {
	if p.proxy == nil {
		return false
	}
	proxy, err := p.proxy(request)
	return err == nil && proxy != nil
}

type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// dialer checks the addresses of a name before it connects, and the connection's address
// afterwards: the name may resolve to another one by then.
func (p *addressPolicy) dialer(next dialFunc) dialFunc {
	if next == nil {
		next = (&net.Dialer{}).DialContext
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		if ctx.Value(viaProxy{}) != nil {
			return next(ctx, network, address)
		}
		server := p.serverAddress(ctx)
		if err := p.checkName(ctx, host, server); err != nil {
			return nil, err
		}
		connection, err := next(ctx, network, address)
		if err != nil {
			return nil, err
		}
		if peer, known := peerOf(connection); known {
			if err := discovery.CheckAddress(peer, server); err != nil {
				_ = connection.Close()
				return nil, fmt.Errorf("%s: %w", host, err)
			}
		}
		return connection, nil
	}
}

// checkName checks all addresses of a host name. A name that does not resolve here passes, because
// the dialer may resolve it in another way. The check of the connection follows.
func (p *addressPolicy) checkName(ctx context.Context, host string, server netip.Addr) error {
	addresses, err := p.lookup(ctx, host)
	if err != nil {
		return nil
	}
	for _, address := range addresses {
		if err := discovery.CheckAddress(address, server); err != nil {
			return fmt.Errorf("%s: %w", host, err)
		}
	}
	return nil
}

// serverAddress returns an address of the server: the one that it was reached at, or one that its
// name resolves to now. Of several it returns the farthest, so that more addresses give a server no
// more rights.
func (p *addressPolicy) serverAddress(ctx context.Context) netip.Addr {
	if peer := p.peer.Load(); peer != nil {
		return *peer
	}
	addresses, err := p.lookup(ctx, p.server.Hostname())
	if err != nil {
		return netip.Addr{}
	}
	var farthest netip.Addr
	for _, address := range addresses {
		if !farthest.IsValid() || discovery.CheckAddress(farthest, address) != nil {
			farthest = address
		}
	}
	return farthest
}

// watch notes the server's address at the first connection to it.
func (p *addressPolicy) watch(request *http.Request) context.Context {
	ctx := request.Context()
	if p.off || p.peer.Load() != nil {
		return ctx
	}
	if p.usesProxy(request) {
		return ctx // the proxy's address says nothing about the server's
	}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		if peer, known := peerOf(info.Conn); known {
			p.peer.CompareAndSwap(nil, &peer)
		}
	}})
}

// peerOf returns the address at the other end of a connection.
func peerOf(connection net.Conn) (address netip.Addr, known bool) {
	peer, err := netip.ParseAddrPort(connection.RemoteAddr().String())
	return peer.Addr().Unmap(), err == nil
}

func lookupIP(ctx context.Context, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}
