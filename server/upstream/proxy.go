package upstream

import (
	"crypto/ecdsa"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// DefaultResponseTimeout is the default of Config.ResponseTimeout.
const DefaultResponseTimeout = 5 * time.Minute

// Config configures a Proxy. URL, Issuer, and Keys or CurrentKeys are required.
type Config struct {
	// URL is the upstream's MCP endpoint: http or https. Its path replaces the path of a request.
	// Its query may hold a secret: it is sent to the upstream, but appears in no log and not in the
	// audience of the JWTs that name callers.
	URL string
	// Headers are names of headers that pass in both directions, besides the headers in the
	// package comment. New refuses names with "_", and headers that carry credentials, identities,
	// addresses or properties of a connection.
	Headers []string
	// Query are names of query parameters of callers that reach the upstream; nil means none.
	Query []string
	// Issuer is this server's origin, and the issuer of the JWTs that name callers.
	Issuer string
	// Keys are the P-256 keys of these JWTs, the same on all replicas. The first key signs, and all
	// are published, so that keys can change while replicas are restarted one by one.
	Keys []*ecdsa.PrivateKey
	// CurrentKeys returns keys that change while the Proxy runs, in place of Keys. It returns the
	// same slice until they change. nil means Keys.
	CurrentKeys func() []*ecdsa.PrivateKey
	// ClientAddress returns the IP address of the caller, for X-Forwarded-For; nil means the
	// address at the other end of the connection.
	ClientAddress func(*http.Request) string
	// ResponseTimeout is how long the upstream may take to start an answer; 0 means
	// DefaultResponseTimeout, and a negative value no limit. The rest of an answer may take as long
	// as its caller stays.
	ResponseTimeout time.Duration
	// Transport sends the requests; nil means a transport of the Proxy, which uses no HTTP proxy
	// and keeps idle connections for 1.5 seconds.
	Transport http.RoundTripper
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Rand is the source of the JWTs' IDs; nil means crypto/rand.
	Rand io.Reader
	// Logger records failures of the upstream; nil discards them.
	Logger *slog.Logger
}

// A Proxy is an http.Handler that sends requests to the upstream. It needs a guard in front of it,
// and serves only requests whose caller the guard has named.
type Proxy struct {
	target        *url.URL
	public        *url.URL // this server's origin
	headers       []string // Config.Headers in canonical form
	queryNames    []string
	clientAddress func(*http.Request) string
	signers       *callerSigners
	sender        *sender
	buffers       sync.Pool // of *[]byte
	log           *slog.Logger
}

// New checks the configuration. It does not connect to the upstream.
func New(config Config) (*Proxy, error) {
	target, err := readURL(config.URL)
	if err != nil {
		return nil, err
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Rand == nil {
		config.Rand = rand.Reader
	}
	if config.ResponseTimeout == 0 {
		config.ResponseTimeout = DefaultResponseTimeout
	}
	p := &Proxy{target: target, log: config.Logger, clientAddress: config.ClientAddress}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	if p.clientAddress == nil {
		p.clientAddress = peerAddress
	}
	p.headers, err = readHeaderNames(config.Headers)
	if err != nil {
		return nil, err
	}
	p.queryNames, err = readQueryNames(config.Query, target.RawQuery)
	if err != nil {
		return nil, err
	}
	p.signers, err = newCallerSigners(config, Address(target))
	if err != nil {
		return nil, err
	}
	p.public, err = url.Parse(config.Issuer)
	if err != nil {
		return nil, errors.New("upstream: Issuer is not a URL: write an origin such as https://mcp.example.com")
	}
	p.sender = newSender(config.Transport, config.ResponseTimeout)
	p.buffers.New = func() any {
		buffer := make([]byte, 32<<10)
		return &buffer
	}
	return p, nil
}

// readURL checks Config.URL. Its errors quote neither a password nor the query.
func readURL(text string) (*url.URL, error) {
	const want = "upstream: want a URL such as http://localhost:9000/mcp"
	target, err := url.Parse(text)
	if err != nil {
		return nil, errors.New(want + ", got text that does not parse as a URL")
	}
	beforeQuery, _, _ := strings.Cut(text, "?")
	switch {
	case target.User != nil, target.Host == "" && strings.Contains(beforeQuery, "@"):
		// Without a scheme or a host, net/url does not find the user name.
		return nil, fmt.Errorf("%s, got one with a user name: leave it out", want)
	case target.Host == "" || target.Scheme != "http" && target.Scheme != "https":
		return nil, fmt.Errorf("%s, got %q", want, Address(target))
	case !isPort(target.Port()):
		return nil, fmt.Errorf("%s, got %q: write a port from 1 to 65535", want, Address(target))
	case target.Fragment != "":
		return nil, fmt.Errorf("%s, got one with a fragment: leave out # and the text after it", want)
	}
	return target, nil
}

// isPort reports whether a client can connect to the port of a URL. Without a port, the URL has the
// port of its scheme.
func isPort(text string) bool {
	port, err := strconv.ParseUint(text, 10, 16)
	return text == "" || err == nil && port > 0
}

// Address returns an upstream's URL for logs and tokens. It leaves out the query and the user name,
// which can hold secrets.
func Address(target *url.URL) string {
	shown := url.URL{
		Scheme:  target.Scheme,
		Opaque:  target.Opaque,
		Host:    target.Host,
		Path:    target.Path,
		RawPath: target.RawPath,
	}
	return shown.String()
}
