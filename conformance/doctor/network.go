package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/netip"

	"mcpentra/conformance/internal/exchange"
	"mcpentra/conformance/loopback"
)

// A zone says who can reach an address.
type zone int

const (
	public  zone = iota // the internet
	private             // one network
	machine             // one machine, or its link
)

// zoneOf returns the zone of an address.
func zoneOf(address net.Addr) zone {
	parsed, err := netip.ParseAddrPort(address.String())
	if err != nil {
		return public
	}
	return zoneOfIP(parsed.Addr())
}

func zoneOfIP(ip netip.Addr) zone {
	ip = ip.Unmap()
	switch {
	case ip.IsLoopback(), ip.IsLinkLocalUnicast(), ip.IsUnspecified():
		return machine
	case ip.IsPrivate():
		return private
	}
	return public
}

// network describes the way to the endpoint.
type network struct {
	zone    zone   // of the endpoint
	known   bool   // whether zone is known
	skipped string // the host:port whose certificate is wrong, and accepted for this walk
}

// newClient returns a client that follows no redirects and keeps no cookies.
func (w *walk) newClient() *http.Client {
	return exchange.NewClient(&http.Client{Transport: &http.Transport{
		DialContext:            w.dial,
		DialTLSContext:         w.dialTLS,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true,
		IdleConnTimeout:        exchange.IdleTimeout,
		ExpectContinueTimeout:  w.config.Patience,
		MaxResponseHeaderBytes: exchange.MaxHeader,
	}})
}

// newBrowser returns a client with cookies, and the connections of the other client.
func (w *walk) newBrowser() *http.Client {
	browser := exchange.NewClient(w.client)
	browser.Jar = &jar{}
	return browser
}

// dial connects. A deployment must not make this machine call addresses that only this machine, or
// only its network, can reach. So no connection goes further inside than the endpoint is.
func (w *walk) dial(ctx context.Context, kind, address string) (net.Conn, error) {
	connect := w.config.Dial
	if connect == nil {
		connect = loopback.Dial
	}
	connection, err := connect(ctx, kind, address)
	if err != nil {
		return nil, err
	}
	if at := zoneOf(connection.RemoteAddr()); w.network.known && at > w.network.zone {
		_ = connection.Close()
		return nil, &insideError{address: address}
	}
	return connection, nil
}

// An insideError refuses an address that clients elsewhere cannot reach.
type insideError struct{ address string }

func (e *insideError) Error() string {
	return fmt.Sprintf("%s is an address inside a network, and the endpoint is outside", e.address)
}

// dialTLS connects with TLS. It accepts the wrong certificate of the endpoint itself, so that the
// walk goes on. The walk has nothing to protect.
func (w *walk) dialTLS(ctx context.Context, kind, address string) (net.Conn, error) {
	connection, err := w.dial(ctx, kind, address)
	if err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		_ = connection.Close()
		return nil, err
	}
	secure := tls.Client(connection, &tls.Config{
		ServerName:         host,
		NextProtos:         []string{"h2", "http/1.1"},
		InsecureSkipVerify: true, // verified below
	})
	err = secure.HandshakeContext(ctx)
	if err == nil && address != w.network.skipped {
		err = w.verify(host, secure.ConnectionState().PeerCertificates)
	}
	if err != nil {
		_ = connection.Close()
		return nil, err
	}
	return secure, nil
}

// verify checks the certificates of a host.
func (w *walk) verify(host string, certificates []*x509.Certificate) error {
	options := x509.VerifyOptions{
		Roots:         w.config.RootCAs,
		Intermediates: x509.NewCertPool(),
		DNSName:       host,
		CurrentTime:   w.config.Now(),
	}
	for _, certificate := range certificates[1:] {
		options.Intermediates.AddCert(certificate)
	}
	_, err := certificates[0].Verify(options)
	return err
}
