package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// reached is what the step reach collects.
type reached struct {
	url          string
	endpoint     *url.URL
	proxy        string // the variable of a proxy that the walk did not use
	badURL       string
	lookupErr    error
	dialErr      error
	handshakeErr error
	verifyErr    error
	connected    bool
	zone         zone
	names        string // in the certificate
	certificate  *x509.Certificate
	sent         int // certificates that the server sent
	now          time.Time
}

func (w *walk) reach(ctx context.Context, step *Step) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*w.config.Patience)
	defer cancel()
	seen := &reached{url: w.secrets.Shown(ShownAddress(w.config.URL)), now: w.config.Now()}
	seen.endpoint, seen.badURL = readURL(w.config.URL)
	if w.config.Dial == nil {
		seen.proxy = w.config.ProxyVariable
	}
	if seen.badURL == "" {
		w.endpoint = seen.endpoint
		w.connect(ctx, step, seen)
	}
	diagnose(step, seen, reachSymptoms)
	diagnose(step, seen, certificateSymptoms)
	w.report.Answers = seen.badURL == "" && seen.lookupErr == nil && seen.dialErr == nil && seen.handshakeErr == nil
	step.fine("reached", "the address answers")
	return w.report.Answers
}

// readURL returns the endpoint, or the mistake in its URL.
func readURL(text string) (endpoint *url.URL, trouble string) {
	parsed, err := url.Parse(strings.TrimSpace(text))
	switch {
	case err != nil:
		return nil, "it is not a URL"
	case parsed.Scheme != "http" && parsed.Scheme != "https":
		return nil, "it does not begin with https:// or http://"
	case parsed.Hostname() == "":
		return nil, "it names no host"
	case parsed.User != nil:
		return nil, "it has a user name or password"
	}
	if port := parsed.Port(); port != "" {
		if number, err := strconv.ParseUint(port, 10, 16); err != nil || number == 0 {
			return nil, "its port is not a number from 1 to 65535"
		}
	}
	parsed.Fragment = ""
	return parsed, ""
}

// hostPort returns the host and port to connect to.
func hostPort(address *url.URL) string {
	port := address.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[address.Scheme]
	}
	return net.JoinHostPort(address.Hostname(), port)
}

func (w *walk) connect(ctx context.Context, step *Step, seen *reached) {
	if w.config.Dial == nil {
		addresses, err := net.DefaultResolver.LookupHost(ctx, seen.endpoint.Hostname())
		seen.lookupErr = err
		if err != nil {
			return
		}
		shown := strings.Join(addresses[:min(4, len(addresses))], ", ")
		step.did("%s has the addresses %s", w.secrets.Shown(seen.endpoint.Hostname()), shown)
	}
	connection, err := w.dial(ctx, "tcp", hostPort(seen.endpoint))
	seen.dialErr = err
	if err != nil {
		return
	}
	defer connection.Close()
	seen.connected = true
	seen.zone = zoneOf(connection.RemoteAddr())
	w.network.zone = seen.zone
	w.network.known = true
	step.did("TCP connects to %s", w.secrets.Shown(hostPort(seen.endpoint)))
	if seen.endpoint.Scheme == "https" {
		w.handshake(ctx, step, seen, connection)
	}
}

func (w *walk) handshake(ctx context.Context, step *Step, seen *reached, connection net.Conn) {
	host := seen.endpoint.Hostname()
	secure := tls.Client(connection, &tls.Config{ServerName: host, InsecureSkipVerify: true}) // verified below
	seen.handshakeErr = secure.HandshakeContext(ctx)
	if seen.handshakeErr != nil {
		return
	}
	state := secure.ConnectionState()
	seen.sent = len(state.PeerCertificates)
	seen.certificate = state.PeerCertificates[0]
	seen.names = w.names(seen.certificate)
	seen.verifyErr = w.verify(host, state.PeerCertificates)
	if seen.verifyErr != nil {
		w.network.skipped = hostPort(seen.endpoint)
	}
	until := seen.certificate.NotAfter.UTC().Format(time.DateOnly)
	step.did("%s, with a certificate for %s until %s", tls.VersionName(state.Version), seen.names, until)
}

// names returns the names in a certificate.
func (w *walk) names(certificate *x509.Certificate) string {
	names := slices.Clone(certificate.DNSNames)
	for _, ip := range certificate.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return "no host"
	}
	return w.secrets.Shown(strings.Join(names[:min(5, len(names))], ", "))
}

// everyClient is the effect of a fault that stops all clients alike.
func everyClient(how string) []Effect { return []Effect{{Client: "all clients", How: how}} }

var reachSymptoms = []symptom[*reached]{
	{
		code:    "address-unusable",
		kind:    Fault,
		seen:    (*reached).seesBadURL,
		why:     "A client needs the URL of the MCP endpoint, such as https://mcp.example.com/mcp.",
		effects: everyClient("they refuse the URL, or ask for another"),
		fixes:   fixURL,
	},
	{
		code:    "name-not-found",
		kind:    Fault,
		seen:    (*reached).seesNoName,
		why:     "Without an address record no client finds the server.",
		effects: everyClient("they report that the host was not found"),
		fixes:   fixName,
	},
	{
		code:    "connection-refused",
		kind:    Fault,
		seen:    (*reached).seesRefusal,
		why:     "Nothing listens at this port, or a firewall rejects the connection.",
		effects: everyClient("they report a connection error"),
		fixes:   fixListener,
	},
	{
		code:    "connection-timeout",
		kind:    Fault,
		seen:    (*reached).seesNoConnection,
		why:     "A firewall drops the connection, or the host is down.",
		effects: everyClient("they wait, then report a timeout"),
		fixes:   fixListener,
	},
	{
		code:    "tls-not-spoken",
		kind:    Fault,
		seen:    (*reached).seesNoTLS,
		why:     "The URL begins with https://, but TLS fails at this port.",
		effects: everyClient("they report a TLS error"),
		fixes:   fixTLS,
	},
}

func (s *reached) seesBadURL() string {
	if s.badURL == "" {
		return ""
	}
	return fmt.Sprintf("the address %q cannot be used: %s", s.url, s.badURL)
}

func (s *reached) seesNoName() string {
	if s.lookupErr == nil {
		return ""
	}
	return fmt.Sprintf("DNS has no address for %s", s.endpoint.Hostname())
}

func (s *reached) seesRefusal() string {
	if !errors.Is(s.dialErr, syscall.ECONNREFUSED) {
		return ""
	}
	return fmt.Sprintf("%s refuses the connection", hostPort(s.endpoint))
}

func (s *reached) seesNoConnection() string {
	if s.dialErr == nil || errors.Is(s.dialErr, syscall.ECONNREFUSED) {
		return ""
	}
	return fmt.Sprintf("no connection to %s: %v", hostPort(s.endpoint), s.dialErr)
}

func (s *reached) seesNoTLS() string {
	if s.handshakeErr == nil {
		return ""
	}
	return fmt.Sprintf("TLS with %s fails: %v", hostPort(s.endpoint), s.handshakeErr)
}

func fixURL(*reached) []Fix {
	return []Fix{{ClientSetting, "the URL of the server", "https://HOST/mcp"}}
}

// fixProxied is the change for a machine that reaches the server through its proxy only.
func fixProxied(s *reached) []Fix {
	if s.proxy == "" {
		return nil
	}
	return []Fix{{
		ClientSetting,
		"the command line of doctor",
		"add --client: it goes through the proxy in " + s.proxy + "; this walk connects directly",
	}}
}

func fixName(s *reached) []Fix {
	return append(
		fixProxied(s),
		Fix{ServerSetting, "DNS of the domain", s.endpoint.Hostname() + ". IN A THE-ADDRESS-OF-THE-PROXY"},
		Fix{ClientSetting, "the URL of the server", "check the spelling of " + s.endpoint.Hostname()},
	)
}

func fixListener(s *reached) []Fix {
	return append(
		fixProxied(s),
		Fix{ServerSetting, ".env of mcp-entra-server", "MCP_ADDR=" + hostPort(s.endpoint)},
		Fix{ClientSetting, "the URL of the server", "check the port, and start the server or its proxy"},
	)
}

func fixTLS(s *reached) []Fix {
	host := s.endpoint.Hostname()
	return []Fix{
		{ProxyLine, "nginx", "listen 443 ssl;\nssl_certificate     /etc/ssl/" + host + ".pem;\n" +
			"ssl_certificate_key /etc/ssl/" + host + ".key;"},
		{ProxyLine, "Caddy", host + " {\n\treverse_proxy localhost:8000\n}"},
	}
}
