package upstream

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	"mcpentra/server/guard"
)

// DefaultResponseTimeout is how long the upstream may take to begin an answer where Config.ResponseTimeout is 0.
const DefaultResponseTimeout = 5 * time.Minute

// A Config says where the upstream is, and how callers are named to it. URL, Issuer and Keys are required.
type Config struct {
	// URL is the upstream's MCP endpoint: http or https. The path that a request came to is replaced by its path.
	URL string
	// Issuer is the origin that this server is reached at: the iss of the callers' tokens.
	Issuer string
	// Keys sign them: P-256 keys, the same on all replicas. The first signs, all are published, so that keys can change
	// while replicas are restarted one by one.
	Keys []*ecdsa.PrivateKey
	// ResponseTimeout is how long the upstream may take to begin an answer. Zero means DefaultResponseTimeout; a negative
	// value means no limit. Once it has begun, an answer may take as long as its caller stays.
	ResponseTimeout time.Duration
	// Transport sends the requests. Nil means one of its own, which knows no proxy.
	Transport http.RoundTripper
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
	// Rand is where the tokens' IDs come from. Nil means crypto/rand.
	Rand io.Reader
	// Logger hears of an upstream that fails. Nil discards.
	Logger *slog.Logger
}

// A Proxy is an http.Handler. It expects a guard in front of it, and serves nobody whom the guard does not name.
type Proxy struct {
	target *url.URL
	signer *signer
	proxy  *httputil.ReverseProxy
	log    *slog.Logger
}

// New reads the configuration; it does not ask the upstream anything.
func New(config Config) (*Proxy, error) {
	target, err := url.Parse(config.URL)
	if err != nil || target.Host == "" || target.Scheme != "http" && target.Scheme != "https" || target.User != nil || target.Fragment != "" {
		return nil, fmt.Errorf("upstream: want a URL such as http://localhost:9000/mcp, got %q", config.URL)
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
	p := &Proxy{target: target, log: config.Logger}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	if p.signer, err = newSigner(config); err != nil {
		return nil, err
	}
	transport := config.Transport
	if transport == nil {
		transport = newTransport(config.ResponseTimeout)
	}
	p.proxy = &httputil.ReverseProxy{
		Rewrite:        p.rewrite,
		Transport:      &sameOrigin{next: transport, target: target},
		FlushInterval:  -1, // each write is flushed
		ModifyResponse: p.judge,
		ErrorHandler:   p.refuse,
		ErrorLog:       slog.NewLogLogger(p.log.Handler(), slog.LevelDebug),
	}
	return p, nil
}

func newTransport(timeout time.Duration) *http.Transport {
	t := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout: 5 * time.Second, ExpectContinueTimeout: time.Second, IdleConnTimeout: 90 * time.Second,
		MaxIdleConns: 256, MaxIdleConnsPerHost: 256, MaxResponseHeaderBytes: 64 << 10, ForceAttemptHTTP2: true,
	}
	if timeout > 0 {
		t.ResponseHeaderTimeout = timeout
	}
	return t
}

// ServeHTTP asks the upstream in the caller's name.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	caller, known := guard.FromContext(r.Context())
	if !known {
		p.log.ErrorContext(r.Context(), "a request came past the guard, and is not sent on")
		problem(w, http.StatusInternalServerError, "this request cannot be served")
		return
	}
	name, err := p.signer.sign(caller)
	if err != nil {
		p.log.ErrorContext(r.Context(), "the caller cannot be named to the upstream", "error", err)
		problem(w, http.StatusInternalServerError, "this request cannot be served")
		return
	}
	p.proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, name)))
}

type callerKey struct{}

// dropped are headers of the caller that the upstream must not see. The guard has compared Origin with its own list,
// which the upstream does not have; credentials and identities are gone already, and are dropped again should no guard
// of this module stand in front.
var dropped = []string{
	"Authorization", "Proxy-Authorization", "Cookie", "Origin", "Referer", "Upgrade", "Connection", "Forwarded",
	"Access-Control-Request-Method", "Access-Control-Request-Headers", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest",
}

func (p *Proxy) rewrite(r *httputil.ProxyRequest) {
	// The path is the upstream's alone: one that a caller chose could reach what nobody meant to show.
	query := r.In.URL.RawQuery
	r.Out.URL = &url.URL{Scheme: p.target.Scheme, Host: p.target.Host, Path: p.target.Path, RawPath: p.target.RawPath, RawQuery: p.target.RawQuery}
	if query != "" {
		r.Out.URL.RawQuery = strings.TrimPrefix(p.target.RawQuery+"&"+query, "&")
	}
	r.Out.Host = ""
	for _, name := range dropped {
		r.Out.Header.Del(name)
	}
	if r.Out.Header.Get("Accept-Encoding") == "" {
		// Go's transport would ask for gzip and unpack the answer.
		r.Out.Header.Set("Accept-Encoding", "identity")
	}
	r.SetXForwarded()
	if own, err := url.Parse(p.signer.issuer); err == nil {
		r.Out.Header.Set("X-Forwarded-Host", own.Host)
		r.Out.Header.Set("X-Forwarded-Proto", own.Scheme)
	}
	name, _ := r.In.Context().Value(callerKey{}).(string)
	r.Out.Header.Set(CallerHeader, name)
}

// errCredentials is what an upstream answers that wants credentials of its own.
var errCredentials = errors.New("the upstream asks for credentials: it has to let this server in without any, and can tell callers by " + CallerHeader)

// judge looks at the head of an answer.
func (p *Proxy) judge(answer *http.Response) error {
	switch status := answer.StatusCode; {
	case status == http.StatusUnauthorized, status == http.StatusProxyAuthRequired:
		// Passed on, it would send the caller to sign in again, for ever.
		return fmt.Errorf("%w (it answered %d)", errCredentials, status)
	case status == http.StatusSwitchingProtocols:
		return errors.New("the upstream changed the protocol")
	}
	// A challenge would be taken for ours.
	answer.Header.Del("Www-Authenticate")
	answer.Header.Del("Proxy-Authenticate")
	answer.Header.Del("Authentication-Info")
	return nil
}

// refuse answers in the place of an upstream that gave no answer that can be passed on.
func (p *Proxy) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(context.Cause(r.Context()), context.Canceled) {
		p.log.DebugContext(r.Context(), "the caller went away")
		return // nobody is there to read an answer
	}
	p.log.ErrorContext(r.Context(), "the upstream failed", "upstream", p.target.Redacted(), "error", err)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		problem(w, http.StatusGatewayTimeout, "the MCP server behind this one did not answer in time")
		return
	}
	if errors.Is(err, errCredentials) {
		problem(w, http.StatusBadGateway, "the MCP server behind this one does not let it in: tell whoever runs it")
		return
	}
	problem(w, http.StatusBadGateway, "the MCP server behind this one cannot be reached, or gave no usable answer")
}

// problem answers with a JSON-RPC error (MCP, Streamable HTTP: the body of an HTTP error may be one, without an ID), since clients
// show its message. Some take any other JSON object for an answer without content.
func problem(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":null,"error":{"code":%d,"message":%q}}`+"\n", codeInternal, message)
}

// codeInternal is JSON-RPC 2.0 section 5.1's "internal error".
const codeInternal = -32603
