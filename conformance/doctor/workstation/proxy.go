package workstation

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"golang.org/x/net/http/httpproxy"
	"golang.org/x/net/proxy"

	"mcpentra/conformance/doctor"
	"mcpentra/conformance/loopback"
)

// proxyNames are the variables of proxies. The client reads the first of each row that is set, as
// Go's library for HTTP does.
var proxyNames = [][2]string{{"HTTPS_PROXY", "https_proxy"}, {"HTTP_PROXY", "http_proxy"}, {"NO_PROXY", "no_proxy"}}

// proxyFor returns the proxy for an address, or nil.
func (m *machine) proxyFor(address *url.URL) (*url.URL, error) {
	value := func(names [2]string) string {
		if text := m.env[names[0]]; text != "" {
			return text
		}
		return m.env[names[1]]
	}
	config := httpproxy.Config{
		HTTPSProxy: value(proxyNames[0]),
		HTTPProxy:  value(proxyNames[1]),
		NoProxy:    value(proxyNames[2]),
		CGI:        m.env["REQUEST_METHOD"] != "",
	}
	through, err := config.ProxyFunc()(address)
	if err != nil || through != nil && !isProxyAddress(through) {
		return nil, errProxyAddress // without the value, which may hold a password
	}
	return through, nil
}

var (
	errProxyAddress = errors.New("the proxy's address cannot be read")
	proxyHost       = regexp.MustCompile(`^[A-Za-z0-9._-]+(:[0-9]+)?$|^\[[0-9a-fA-F:.]+\](:[0-9]+)?$`)
)

// isProxyAddress reports whether an address has no more than a proxy needs. Rests of a malformed
// one could be a password.
func isProxyAddress(through *url.URL) bool {
	return proxyHost.MatchString(through.Host) && strings.Trim(through.Path, "/") == "" && through.RawQuery == ""
}

// shownProxy returns the address of a proxy without user and password.
func shownProxy(through *url.URL) string { return through.Scheme + "://" + through.Host }

func (m *machine) proxies(ctx context.Context, step *doctor.Step) {
	m.differentCases(step)
	m.certificateFile(step)
	endpoint, err := url.Parse(m.config.URL)
	if err != nil || endpoint.Host == "" {
		fine(step, "proxy-unknown", "the address names no host")
		return
	}
	through, err := m.proxyFor(endpoint)
	switch {
	case err != nil:
		m.proxyUnusable(step, err.Error())
	case through == nil:
		did(step, "requests to %s go out directly", endpoint.Host)
		fine(step, "no-proxy", "no proxy is between this machine and the server")
	default:
		m.proxyReached(ctx, step, endpoint, through)
	}
}

// differentCases finds variables whose two spellings have different values.
func (m *machine) differentCases(step *doctor.Step) {
	if m.config.OS == "windows" {
		return // names differ in more than case there
	}
	for _, names := range proxyNames {
		upper := m.env[names[0]]
		lower := m.env[names[1]]
		if upper == "" || lower == "" || upper == lower {
			continue
		}
		step.Add(doctor.Finding{
			Code:    "proxy-spelt-twice",
			Kind:    doctor.Warning,
			Seen:    fmt.Sprintf("%s and %s have different values", names[0], names[1]),
			Why:     "Each program reads one of them. The client reads " + names[0] + ", and curl the other.",
			Effects: stops("it may go another way than curl and the browser"),
			Fixes:   []doctor.Fix{change(environment, "give both the same value")},
		})
	}
}

// proxyReached connects to the proxy.
func (m *machine) proxyReached(ctx context.Context, step *doctor.Step, endpoint, through *url.URL) {
	did(step, "requests to %s go through the proxy %s", endpoint.Host, shownProxy(through))
	did(step, "requests to this machine, such as the callback, go through no proxy")
	ctx, cancel := context.WithTimeout(ctx, m.config.Walk.Patience)
	defer cancel()
	connection, err := m.throughProxy(ctx, through, hostPort(endpoint))
	if err != nil {
		text := withoutSecrets(err, through)
		m.proxyUnusable(step, fmt.Sprintf("the proxy %s does not connect: %s", shownProxy(through), text))
		return
	}
	defer connection.Close()
	if endpoint.Scheme == "https" {
		m.inspection(ctx, step, endpoint, connection)
	}
	fine(step, "proxy-connects", "the proxy connects to the server")
}

func (m *machine) proxyUnusable(step *doctor.Step, seen string) {
	m.canLeave = false
	step.Add(doctor.Finding{
		Code:    "proxy-unusable",
		Kind:    doctor.Fault,
		Seen:    seen,
		Why:     "The client sends its requests through the proxy that these variables name.",
		Effects: stops("it cannot reach the server"),
		Fixes: []doctor.Fix{
			change(environment, "set HTTPS_PROXY to http://HOST:PORT of the proxy, with its user if it wants one"),
			change(environment, "add the server's host to NO_PROXY, if this machine reaches it directly"),
		},
	})
}

// withoutSecrets returns an error's text without the password of a proxy.
func withoutSecrets(err error, through *url.URL) string {
	password, _ := through.User.Password()
	if password == "" {
		return err.Error()
	}
	return strings.ReplaceAll(err.Error(), password, "…")
}

// inspection finds a proxy that decrypts TLS, by a certificate of an authority that this machine
// does not know.
func (m *machine) inspection(ctx context.Context, step *doctor.Step, endpoint *url.URL, connection net.Conn) {
	secure := tls.Client(connection, &tls.Config{
		ServerName:         endpoint.Hostname(),
		InsecureSkipVerify: true, // verified below
	})
	if err := secure.HandshakeContext(ctx); err != nil {
		did(step, "TLS through the proxy fails: %v", err)
		return
	}
	chain := secure.ConnectionState().PeerCertificates
	err := m.verify(endpoint.Hostname(), chain)
	if !isUnknownAuthority(err) {
		return
	}
	step.Add(doctor.Finding{
		Code: "proxy-inspects-tls",
		Kind: doctor.Fault,
		Seen: fmt.Sprintf("through the proxy, the server's certificate is from %q, which this machine does not trust",
			issuerOf(chain)),
		Why:     "A proxy that reads TLS shows certificates of its own authority.",
		Effects: stops("it refuses the connection, and names the unknown authority"),
		Fixes: []doctor.Fix{
			change("command line", program+" --ca-file FILE, with the authority's certificate from your administrator"),
			change("certificates of this machine", "install the authority, or leave the server out of the inspection"),
		},
	})
}

// dial connects to an address directly, or through the proxy that the client would use.
func (m *machine) dial(ctx context.Context, network, address string) (net.Conn, error) {
	through, err := m.proxyFor(m.urlOf(address))
	switch {
	case err != nil:
		return nil, err
	case through == nil:
		return m.direct(ctx, network, address)
	}
	connection, err := m.throughProxy(ctx, through, address)
	if err != nil {
		return nil, fmt.Errorf("through the proxy: %s", withoutSecrets(err, through))
	}
	return connection, nil
}

func (m *machine) direct(ctx context.Context, network, address string) (net.Conn, error) {
	if m.config.Walk.Dial != nil {
		return m.config.Walk.Dial(ctx, network, address)
	}
	return loopback.Dial(ctx, network, address)
}

// urlOf returns a URL with the scheme that belongs to a host and port.
func (m *machine) urlOf(address string) *url.URL {
	endpoint, err := url.Parse(m.config.URL)
	if err == nil && hostPort(endpoint) == address {
		return endpoint
	}
	host := strings.TrimSuffix(address, ":443")
	if strings.HasSuffix(address, ":80") {
		return &url.URL{Scheme: "http", Host: address}
	}
	return &url.URL{Scheme: "https", Host: host}
}

func hostPort(address *url.URL) string {
	port := address.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[address.Scheme]
	}
	return net.JoinHostPort(address.Hostname(), port)
}

// throughProxy connects to host:port through a proxy.
func (m *machine) throughProxy(ctx context.Context, through *url.URL, address string) (net.Conn, error) {
	switch through.Scheme {
	case "socks5", "socks5h":
		return m.throughSOCKS(ctx, through, address)
	case "http", "https":
		return m.throughConnect(ctx, through, address)
	}
	return nil, fmt.Errorf("want a proxy with http, https or socks5, got %q", through.Scheme)
}

func (m *machine) throughSOCKS(ctx context.Context, through *url.URL, address string) (net.Conn, error) {
	dialer, err := proxy.FromURL(through, proxy.Direct)
	if err != nil {
		return nil, err
	}
	withContext, ok := dialer.(proxy.ContextDialer)
	if !ok {
		return nil, errors.New("the proxy cannot be reached with a deadline")
	}
	return withContext.DialContext(ctx, "tcp", address)
}

// throughConnect asks an HTTP proxy for a tunnel (RFC 9110 section 9.3.6).
func (m *machine) throughConnect(ctx context.Context, through *url.URL, address string) (net.Conn, error) {
	connection, err := m.direct(ctx, "tcp", hostPort(through))
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = connection.Close() })
	defer stop()
	if through.Scheme == "https" {
		connection = tls.Client(connection, &tls.Config{
			ServerName: through.Hostname(),
			RootCAs:    m.config.Walk.RootCAs,
		})
	}
	request := &http.Request{
		Method: http.MethodConnect,
		URL:    &url.URL{Opaque: address},
		Host:   address,
		Header: http.Header{"User-Agent": {program}},
	}
	if user := through.User; user != nil {
		password, _ := user.Password()
		text := base64.StdEncoding.EncodeToString([]byte(user.Username() + ":" + password))
		request.Header.Set("Proxy-Authorization", "Basic "+text)
	}
	if err := request.Write(connection); err != nil {
		_ = connection.Close()
		return nil, err
	}
	// The server speaks after the client, so that nothing of its own is in the buffer.
	response, err := http.ReadResponse(bufio.NewReaderSize(connection, 4096), request)
	if err != nil {
		_ = connection.Close()
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		_ = connection.Close()
		return nil, fmt.Errorf("want status 200 to CONNECT, got %d (%s)%s", response.StatusCode,
			http.StatusText(response.StatusCode), proxyHint(response.StatusCode))
	}
	return connection, nil
}

func proxyHint(status int) string {
	if status == http.StatusProxyAuthRequired {
		return ": it wants a user and password"
	}
	return ""
}
