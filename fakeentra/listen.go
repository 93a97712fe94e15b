package fakeentra

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"

	"mcpentra/fakeentra/internal/certificate"
)

// A Server is a fake that listens on loopback.
type Server struct {
	*Fake
	// URL is the scheme, host and port of the listener. It is the authority and the address of
	// Graph, unless Config.PublicURL is set.
	URL string

	http      *http.Server
	listeners []net.Listener
	ca        []byte // PEM
	client    *http.Client
}

// NewServer starts a fake on a free port of loopback. It panics if it cannot listen, like
// net/http/httptest.
func NewServer(config Config) *Server { return mustListen(config, false) }

// NewTLSServer starts a fake with TLS. A new CA signs its certificate. CAPEM returns the CA, and
// Client trusts it. The certificate is valid for localhost, the loopback addresses, Microsoft's
// hosts of the public cloud, and the hosts of Config.PublicURL and Config.BackchannelURL.
func NewTLSServer(config Config) *Server { return mustListen(config, true) }

func mustListen(config Config, secure bool) *Server {
	server, err := Listen(config, "127.0.0.1:0", secure)
	if err != nil {
		panic(err)
	}
	return server
}

// Listen starts a fake at an address, host:port. The host localhost means both loopback addresses,
// 127.0.0.1 and ::1, at the same port. With only one of them, another program could answer at the
// other. Listen checks the Config first, so a mistake in it shows even if the port is taken. A
// taken port is syscall.EADDRINUSE.
func Listen(config Config, address string, secure bool) (*Server, error) {
	fake, err := New(config)
	if err != nil {
		return nil, err
	}
	listeners, err := ListenLoopback(address)
	if err != nil {
		return nil, fmt.Errorf("fakeentra: %w", err)
	}
	host, _, _ := net.SplitHostPort(address)
	_, port, _ := net.SplitHostPort(listeners[0].Addr().String())
	scheme := "http"
	if secure {
		scheme = "https"
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	s := &Server{Fake: fake, URL: scheme + "://" + net.JoinHostPort(host, port), listeners: listeners}
	s.useURL()
	transport := &http.Transport{Proxy: nil}
	if secure {
		transport.TLSClientConfig, err = s.secure()
		if err != nil {
			s.closeListeners()
			return nil, fmt.Errorf("fakeentra: %w", err)
		}
	}
	s.client = &http.Client{Transport: transport}
	s.http = &http.Server{
		Handler:           s.Fake,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	for _, listener := range s.listeners {
		go func() { _ = s.http.Serve(listener) }()
	}
	return s, nil
}

// useURL makes the URL the authority and the address of Graph, unless the Config names others.
func (s *Server) useURL() {
	if s.config.PublicURL == "" {
		s.authority = s.URL
		s.graphURL = s.URL
		s.rules.Authority = s.URL
		s.rules.GraphURL = s.URL
		s.rules.AzureADGraph = s.URL
	}
	if s.config.BackchannelURL == "" {
		s.backchannel = s.authority
	}
}

// secure adds TLS to the listeners. It returns the configuration of a client that trusts the CA.
func (s *Server) secure() (*tls.Config, error) {
	made, ca, err := certificate.New(s.clock.now(), s.authority, s.backchannel, s.cloud.authority)
	if err != nil {
		return nil, err
	}
	s.ca = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw})
	pool := x509.NewCertPool()
	pool.AddCert(ca)
	for i, listener := range s.listeners {
		s.listeners[i] = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{made}})
	}
	return &tls.Config{RootCAs: pool}, nil
}

// Client returns an HTTP client that trusts the server's certificate.
func (s *Server) Client() *http.Client { return s.client }

// CAPEM returns the certificate of the CA that signed a TLS server's certificate, in PEM. It is nil
// without TLS.
func (s *Server) CAPEM() []byte { return s.ca }

// Close ends all connections and stops listening.
func (s *Server) Close() {
	s.client.CloseIdleConnections()
	_ = s.http.Close()
}

// Shutdown stops listening and waits for running requests until the context ends.
func (s *Server) Shutdown(ctx context.Context) error {
	s.client.CloseIdleConnections()
	return s.http.Shutdown(ctx)
}

func (s *Server) closeListeners() {
	for _, listener := range s.listeners {
		_ = listener.Close()
	}
}

// ListenLoopback listens at an address. The host localhost means both loopback addresses, or only
// 127.0.0.1 on a machine without ::1. If one of them is taken, ListenLoopback fails.
func ListenLoopback(address string) ([]net.Listener, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("want an address like localhost:8400, got %q", address)
	}
	if host != "localhost" {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			return nil, err
		}
		return []net.Listener{listener}, nil
	}
	for attempt := 0; ; attempt++ {
		first, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port))
		if err != nil {
			return nil, err
		}
		chosen := strconv.Itoa(first.Addr().(*net.TCPAddr).Port)
		second, err := net.Listen("tcp", net.JoinHostPort("::1", chosen))
		switch {
		case err == nil:
			return []net.Listener{first, second}, nil
		case errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EAFNOSUPPORT):
			return []net.Listener{first}, nil
		}
		_ = first.Close()
		if port != "0" || attempt == 20 {
			return nil, err
		}
	}
}
