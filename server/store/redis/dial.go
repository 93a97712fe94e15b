package redis

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"
)

// dialTime bounds how long a connection takes to be made.
const dialTime = 2 * time.Second

// An unsentError says that a command was not sent.
type unsentError struct{ error }

func (e *unsentError) Unwrap() error { return e.error }

// A dialer makes all connections, also to the hosts that sentinels and cluster nodes name.
type dialer struct {
	tls       *tls.Config // nil means unencrypted
	plaintext bool
}

func newDialer(a *address) (*dialer, error) {
	d := &dialer{plaintext: a.plaintext}
	if !a.isTLS {
		return d, nil
	}
	d.tls = &tls.Config{MinVersion: tls.VersionTLS12}
	if a.caFile == "" {
		return d, nil
	}
	text, err := os.ReadFile(a.caFile)
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	d.tls.RootCAs = x509.NewCertPool()
	if !d.tls.RootCAs.AppendCertsFromPEM(text) {
		return nil, errors.New("ca_file: it has no certificate in PEM form")
	}
	return d, nil
}

func (d *dialer) dial(ctx context.Context, network, host string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	connection, err := d.connect(ctx, network, host)
	if err != nil {
		return nil, &unsentError{err}
	}
	return connection, nil
}

func (d *dialer) connect(ctx context.Context, network, host string) (net.Conn, error) {
	var plain net.Dialer
	switch {
	case d.tls != nil:
		encrypted := tls.Dialer{NetDialer: &plain, Config: d.tls} // it checks the certificate for the host
		return encrypted.DialContext(ctx, network, host)
	case network != "unix" && !d.plaintext && !isLoopback(host):
		return nil, fmt.Errorf("%s is not on loopback: use rediss, or plaintext=yes behind ?", host)
	}
	return plain.DialContext(ctx, network, host)
}

// isExposed reports whether connections without encryption leave this machine.
func (a *address) isExposed() bool {
	isRemote := func(host string) bool { return !isLoopback(host) }
	return !a.isTLS && a.form != formSocket && slices.ContainsFunc(a.hosts, isRemote)
}

func isLoopback(hostPort string) bool {
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}
