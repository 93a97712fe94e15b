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
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"mcpentra/server/guard"
)

// DefaultResponseTimeout is how long the upstream may take to begin an answer where
// Config.ResponseTimeout is 0.
const DefaultResponseTimeout = 5 * time.Minute

// A Config says where the upstream is, and how callers are named to it. URL, Issuer and Keys are
// required.
type Config struct {
	// URL is the upstream's MCP endpoint: http or https. The path that a request came to is
	// replaced by its path. Its query may hold a secret: it is sent to the upstream, and is in no
	// log and not in the audience of callers' tokens.
	URL string
	// Headers are names of headers that pass in both directions, besides those that always do; see
	// the package comment. Those with "_" and those of credentials, identities, addresses and
	// connections are refused.
	Headers []string
	// Query are names of query parameters of callers that reach the upstream. Nil means that none
	// does.
	Query []string
	// Issuer is the origin that this server is reached at: the iss of the callers' tokens.
	Issuer string
	// Keys sign them: P-256 keys, the same on all replicas. The first signs, all are published, so
	// that keys can change while replicas are restarted one by one.
	Keys []*ecdsa.PrivateKey
	// ClientAddress is the IP address of the caller, for X-Forwarded-For. Nil means the address at
	// the other end of the connection.
	ClientAddress func(*http.Request) string
	// ResponseTimeout is how long the upstream may take to begin an answer. Zero means
	// DefaultResponseTimeout; a negative value means no limit. Once it has begun, an answer may
	// take as long as its caller stays.
	ResponseTimeout time.Duration
	// Transport sends the requests. Nil means one of its own, which knows no proxy and keeps
	// connections for 1.5 seconds.
	Transport http.RoundTripper
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
	// Rand is where the tokens' IDs come from. Nil means crypto/rand.
	Rand io.Reader
	// Logger hears of an upstream that fails. Nil discards.
	Logger *slog.Logger
}

// A Proxy is an http.Handler. It expects a guard in front of it, and serves no request whose caller
// the guard does not name.
type Proxy struct {
	target        *url.URL
	public        *url.URL // the origin that this server is reached at
	headers       []string // that pass, besides the usual ones
	queryNames    []string
	clientAddress func(*http.Request) string
	signer        *signer
	sender        *sender
	buffers       sync.Pool // of *[]byte
	log           *slog.Logger
}

// New reads the configuration; it does not ask the upstream anything.
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
	if p.headers, err = addedHeaders(config.Headers); err != nil {
		return nil, err
	}
	if p.queryNames, err = addedQuery(config.Query, target.RawQuery); err != nil {
		return nil, err
	}
	if p.signer, err = newSigner(config, Address(target)); err != nil {
		return nil, err
	}
	if p.public, err = url.Parse(config.Issuer); err != nil {
		return nil, errors.New("upstream: want an origin as issuer, such as https://mcp.example.com")
	}
	p.sender = newSender(config.Transport, config.ResponseTimeout)
	p.buffers.New = func() any {
		buffer := make([]byte, 32<<10)
		return &buffer
	}
	return p, nil
}

// readURL reads Config.URL. Its errors quote neither a password nor the query.
func readURL(text string) (*url.URL, error) {
	const want = "upstream: want a URL such as http://localhost:9000/mcp"
	target, err := url.Parse(text)
	if err != nil {
		return nil, errors.New(want + ", got text that is no URL")
	}
	beforeQuery, _, _ := strings.Cut(text, "?")
	switch {
	case target.User != nil, target.Host == "" && strings.Contains(beforeQuery, "@"):
		// Without a scheme or a host, net/url takes user:password@host for something else.
		return nil, fmt.Errorf("%s, got one with a user name: leave it out", want)
	case target.Host == "" || target.Scheme != "http" && target.Scheme != "https":
		return nil, fmt.Errorf("%s, got %q", want, Address(target))
	case !isPort(target.Port()):
		return nil, fmt.Errorf("%s, got %q: write a port from 1 to 65535", want, Address(target))
	case target.Fragment != "":
		return nil, fmt.Errorf("%s, got one with a fragment: leave out # and what follows", want)
	}
	return target, nil
}

// isPort reports whether the port of a URL can be connected to. A URL without one has the port of
// its scheme.
func isPort(text string) bool {
	port, err := strconv.ParseUint(text, 10, 16)
	return text == "" || err == nil && port > 0
}

// Address is what may be said of an upstream's URL in logs and tokens: it has neither the query nor
// a user name, which can hold secrets.
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

func peerAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	return host
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
	var body []byte
	if r.Method == http.MethodPost {
		if body, err = readBody(r); err != nil {
			problem(w, http.StatusBadRequest, "the body could not be read")
			return
		}
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	answer, err := p.send(p.outgoing(ctx, r, name), body)
	if err == nil {
		defer answer.Body.Close()
		err = judge(answer)
	}
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	p.answer(w, r, answer)
}

// readBody reads a body that the guard has in memory already, and bounds.
func readBody(r *http.Request) ([]byte, error) {
	if r.ContentLength < 0 {
		return io.ReadAll(r.Body)
	}
	body := make([]byte, r.ContentLength)
	_, err := io.ReadFull(r.Body, body)
	return body, err
}

// outgoing is the request that the upstream gets. All of it is made here: of the caller's request
// it has the method, and the headers and query parameters that are listed.
func (p *Proxy) outgoing(ctx context.Context, r *http.Request, caller string) *http.Request {
	header := make(http.Header, len(r.Header)+4)
	for name, lines := range r.Header {
		if p.passesOn(name) {
			header[name] = slices.Clone(lines)
		}
	}
	if header.Get("Accept-Encoding") == "" {
		header.Set("Accept-Encoding", "identity")
	}
	if header.Get("User-Agent") == "" {
		header.Set("User-Agent", "") // or Go's transport would write its own
	}
	if address := p.clientAddress(r); address != "" {
		header.Set("X-Forwarded-For", address)
	}
	header.Set("X-Forwarded-Host", p.public.Host)
	header.Set("X-Forwarded-Proto", p.public.Scheme)
	header.Set(CallerHeader, caller)
	target := *p.target
	target.RawQuery = p.query(r.URL.RawQuery)
	return (&http.Request{Method: r.Method, URL: &target, Host: target.Host, Header: header}).WithContext(ctx)
}

// answer passes the upstream's answer on: the listed headers, and the body as it comes.
func (p *Proxy) answer(w http.ResponseWriter, r *http.Request, answer *http.Response) {
	header := w.Header()
	for name, lines := range answer.Header {
		if p.passesBack(name) {
			header[name] = slices.Clone(lines)
		}
	}
	if _, named := header["Content-Type"]; !named {
		header["Content-Type"] = nil // or net/http would guess one
	}
	// As the transport understood it: over HTTP/2, upstreams can send several, or text.
	delete(header, "Content-Length")
	if answer.ContentLength >= 0 && mayHaveBody(answer.StatusCode) {
		header.Set("Content-Length", strconv.FormatInt(answer.ContentLength, 10))
	}
	w.WriteHeader(answer.StatusCode)
	if err := p.copyBody(w, answer); err != nil {
		p.cutOff(r, err)
	}
	for _, name := range p.headers {
		for _, line := range answer.Trailer[name] {
			header.Add(http.TrailerPrefix+name, line)
		}
	}
}

// mayHaveBody reports whether an answer with a status may say how long its body is (RFC 9110
// section 8.6).
func mayHaveBody(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}

// copyBody sends each piece on at once. Its errors are those of reading: a caller who reads no more
// is not told.
func (p *Proxy) copyBody(w http.ResponseWriter, answer *http.Response) error {
	flusher := http.NewResponseController(w)
	rest := answer.ContentLength
	if rest < 0 {
		_ = flusher.Flush() // the head of a stream, before its first event
	}
	buffer := p.buffers.Get().(*[]byte)
	defer p.buffers.Put(buffer)
	for {
		n, err := answer.Body.Read(*buffer)
		if n > 0 {
			if _, gone := w.Write((*buffer)[:n]); gone != nil {
				return nil
			}
			if rest -= int64(n); rest != 0 {
				_ = flusher.Flush()
			}
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// cutOff ends an answer that could not be read to its end. The caller must be able to tell it from
// a whole one, except where a listening stream ends with its token.
func (p *Proxy) cutOff(r *http.Request, err error) {
	switch cause := context.Cause(r.Context()); {
	case errors.Is(cause, guard.ErrTokenExpired):
		return
	case cause == nil:
		p.log.WarnContext(r.Context(), "the upstream cut its answer off", "upstream", Address(p.target), "error", err)
	}
	if r.Context().Value(http.ServerContextKey) != nil {
		panic(http.ErrAbortHandler)
	}
}

// errCredentials is what an upstream answers that wants credentials of its own.
var errCredentials = errors.New(
	"the upstream asks for credentials: it has to let this server in without any, and can tell callers by " +
		CallerHeader)

// maxStatus is the largest status that exists (RFC 9110 section 15). Callers would each read others
// in their own way.
const maxStatus = 599

// judge looks at the head of an answer.
func judge(answer *http.Response) error {
	switch status := answer.StatusCode; {
	case status == http.StatusUnauthorized, status == http.StatusProxyAuthRequired:
		// Passed on, it would send the caller to sign in again and again.
		return fmt.Errorf("%w (it answered %d)", errCredentials, status)
	case status == http.StatusSwitchingProtocols:
		return errors.New("the upstream changed the protocol")
	case status < http.StatusOK, status > maxStatus:
		return fmt.Errorf("the upstream answered %d, which is no HTTP status", status)
	}
	return nil
}

// refuse answers in the place of an upstream that gave no answer that can be passed on.
func (p *Proxy) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if cause := context.Cause(r.Context()); cause != nil {
		// The caller has gone, or the guard has ended the request and answers it.
		p.log.DebugContext(r.Context(), "a request to the upstream ended", "reason", cause)
		return
	}
	p.log.ErrorContext(r.Context(), "the upstream failed", "upstream", Address(p.target), "error", err)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		problem(w, http.StatusGatewayTimeout, "the MCP server behind this one did not answer in time")
		return
	}
	if errors.Is(err, errCredentials) {
		problem(w, http.StatusBadGateway, "the MCP server behind this one does not let it in: tell the operator")
		return
	}
	problem(w, http.StatusBadGateway, "the MCP server behind this one cannot be reached, or gave no usable answer")
}

// problem answers with a JSON-RPC error (MCP, Streamable HTTP: the body of an HTTP error may be
// one, without an ID), since clients show its message. Some take any other JSON object for an
// answer without content.
func problem(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":null,"error":{"code":%d,"message":%q}}`+"\n", codeInternal, message)
}

// codeInternal is JSON-RPC 2.0 section 5.1's "internal error".
const codeInternal = -32603
