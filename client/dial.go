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

// A guard keeps the requests of a sign-in, whose addresses a server chooses, from machines that the
// server has no business with (MCP Security Best Practices, Server-Side Request Forgery). What is
// written in an address is discovery.CheckURL's; this is for names, which may lead anywhere, and
// elsewhere the next time.
type guard struct {
	server *url.URL
	off    bool
	proxy  func(*http.Request) (*url.URL, error)
	lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	peer   atomic.Pointer[netip.Addr] // the address that the server was first reached at, nil behind a proxy
}

// viaProxy is the context key of a request that goes through a proxy, which looks names up itself.
type viaProxy struct{}

// transport is base, guarded. Where the server is this machine nothing is to be kept from it, and
// what is not an *http.Transport has no connections that could be looked at.
func (g *guard) transport(base http.RoundTripper) http.RoundTripper {
	wire, is := base.(*http.Transport)
	if !is || discovery.IsLoopback(g.server.Hostname()) {
		g.off = true
		return base
	}
	g.proxy = wire.Proxy
	own := wire.Clone()
	own.DisableKeepAlives = true // these requests are few, and nobody would close what is left open
	own.DialContext = g.dialer(wire.DialContext)
	if wire.DialTLSContext != nil {
		own.DialTLSContext = g.dialer(wire.DialTLSContext)
	}
	return guarded{g, own}
}

type guarded struct {
	guard *guard
	next  *http.Transport
}

func (g guarded) RoundTrip(request *http.Request) (*http.Response, error) {
	if g.guard.proxied(request) {
		request = request.WithContext(context.WithValue(request.Context(), viaProxy{}, true))
	}
	return g.next.RoundTrip(request)
}

func (g *guard) proxied(request *http.Request) bool {
	if g.proxy == nil {
		return false
	}
	proxy, err := g.proxy(request)
	return err == nil && proxy != nil
}

type dial = func(ctx context.Context, network, address string) (net.Conn, error)

// dialer checks what a name leads to before there is a connection, and again when there is one: the
// name may lead elsewhere by then.
func (g *guard) dialer(next dial) dial {
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
		near := g.near(ctx)
		if addresses, err := g.lookup(ctx, host); err == nil { // else whoever dials knows more
			for _, one := range addresses {
				if err := discovery.CheckAddress(one, near); err != nil {
					return nil, fmt.Errorf("%s: %w", host, err)
				}
			}
		}
		connection, err := next(ctx, network, address)
		if err != nil {
			return nil, err
		}
		if reached, known := addressOf(connection); known {
			if err := discovery.CheckAddress(reached, near); err != nil {
				_ = connection.Close()
				return nil, fmt.Errorf("%s: %w", host, err)
			}
		}
		return connection, nil
	}
}

// near is an address of the server: the one that it was reached at, or else what its name leads to
// now. Of several it is the farthest, so that a server gains nothing by having more.
func (g *guard) near(ctx context.Context) netip.Addr {
	if peer := g.peer.Load(); peer != nil {
		return *peer
	}
	addresses, err := g.lookup(ctx, g.server.Hostname())
	if err != nil {
		return netip.Addr{}
	}
	var farthest netip.Addr
	for _, one := range addresses {
		if !farthest.IsValid() || discovery.CheckAddress(farthest, one) != nil {
			farthest = one
		}
	}
	return farthest
}

// watch notes where the server is reached, with the first request.
func (g *guard) watch(request *http.Request) context.Context {
	ctx := request.Context()
	if g.off || g.peer.Load() != nil {
		return ctx
	}
	if g.proxied(request) {
		return ctx // where the proxy is says nothing of the server
	}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
		if reached, known := addressOf(got.Conn); known {
			g.peer.CompareAndSwap(nil, &reached)
		}
	}})
}

func addressOf(connection net.Conn) (netip.Addr, bool) {
	remote, err := netip.ParseAddrPort(connection.RemoteAddr().String())
	return remote.Addr().Unmap(), err == nil
}

// lookupIP is the system's.
func lookupIP(ctx context.Context, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}
