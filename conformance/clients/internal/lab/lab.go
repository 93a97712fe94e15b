package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/fakeentra/useragent"
)

// A Lab is one world, on loopback ports of its own. Close ends it.
type Lab struct {
	script Script
	ledger *ledger
	ca     *authority

	starting sync.Mutex
	servers  map[Party]*httptest.Server
	closed   bool

	mu      sync.Mutex
	record  []*Request
	called  int
	refused bool // a 401 was sent
	stepUps int
	// questions for the token of a device code
	questions int
	opened    []string
	replies   []string
	// deliveries counts the answers that a redirect URI has not replied to yet. delivered is closed
	// when the count is 0.
	deliveries int
	delivered  chan struct{}
	output     bytes.Buffer
	err        error
	session    int // the number of the last session
	gone       map[string]bool
}

// Bounds: of a request's body, of what is kept of a client's output, and of a reply at the redirect
// URI, in bytes; and of a record, in requests.
const (
	maxBody   = 256 << 10
	maxOutput = 1 << 20
	maxReply  = 64 << 10
	maxRecord = 5000
)

// RunTimeout bounds a run of a client whose target does not say how long one may take.
const RunTimeout = 10 * time.Second

// New makes a lab.
func New(script Script) *Lab {
	if script.Revision == "" {
		script.Revision = check.R20251125
	}
	if script.Path == "" {
		script.Path = "/mcp"
	}
	l := &Lab{script: script, servers: map[Party]*httptest.Server{}, ledger: newBook(), gone: map[string]bool{}}
	if script.Share != nil {
		l.ledger = script.Share.ledger
	}
	if script.Public {
		script.TLS = true
		l.script.TLS = true
	}
	if script.TLS {
		l.ca = newAuthority()
	}
	return l
}

// server starts a party where it is named for the first time. It panics when it cannot listen on
// loopback, as net/http/httptest does.
func (l *Lab) server(party Party) *httptest.Server {
	l.starting.Lock()
	defer l.starting.Unlock()
	if server := l.servers[party]; server != nil {
		return server
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.serve(party, w, r)
	}))
	if party == desk {
		server.Config.Handler = http.HandlerFunc(l.serveDesk)
	}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Config.ReadHeaderTimeout = RunTimeout
	if l.script.TLS && party != Proxy && party != desk {
		server.TLS = l.ca.config(l.script.Flaws[party])
		server.StartTLS()
	} else {
		server.Start()
	}
	if l.closed {
		server.Close() // its address is all that is left to tell
	}
	l.servers[party] = server
	return server
}

// desk takes pages to open from another process.
const desk Party = "desk"

// Close ends the lab and the requests in it. The record stays.
func (l *Lab) Close() {
	// A server closes after its handlers have returned, and a handler may ask for another party's
	// origin. So the lock is released first. A party that starts later is closed at once.
	l.starting.Lock()
	l.closed = true
	servers := slices.Collect(maps.Values(l.servers))
	l.starting.Unlock()
	for _, server := range servers {
		server.CloseClientConnections()
		server.Close()
	}
}

// Origin of a party.
func (l *Lab) Origin(party Party) string {
	origin := l.server(party).URL
	if name, named := publicNames[party]; named && l.script.Public {
		return "https://" + name
	}
	if l.script.Host != "" {
		origin = strings.Replace(origin, "127.0.0.1", l.script.Host, 1)
	}
	return origin
}

// URL of the MCP endpoint.
func (l *Lab) URL() string { return l.Origin(Server) + l.script.Path }

func (l *Lab) path() string { return l.script.Path }

// Authority is the party that the MCP server names as its authorization server.
func (l *Lab) Authority() Party {
	if l.legacy() {
		return Server
	}
	return Issuer
}

// IssuerID is the identifier of an authorization server.
func (l *Lab) IssuerID(party Party) string {
	if l.script.Share != nil && party == Issuer {
		return l.script.Share.IssuerID(Issuer)
	}
	if party == Server {
		return l.Origin(Server)
	}
	return l.Origin(party) + l.script.IssuerPath
}

// legacy reports whether the MCP server is its own authorization server, as in MCP 2025-03-26.
func (l *Lab) legacy() bool { return l.script.Revision == check.R20250326 }

// Expire makes every token refused that was issued so far.
func (l *Lab) Expire() { l.ledger.expire() }

// Run has the client do its task in this lab, and returns when it has ended or its time is up. What
// came of it is in the record.
func (l *Lab) Run(ctx context.Context, p *bench.Probe, changes ...func(*bench.Task)) {
	task := bench.Task{
		Check:    p.Rule.ID,
		URL:      l.URL(),
		Tool:     bench.ToolName,
		Revision: l.script.Revision,
		Open:     l.open,
		OpenAt:   func() string { return l.server(desk).URL },
		Output:   &bounded{lab: l},
		State:    p.State,
	}
	if l.script.URL != nil {
		task.URL = l.script.URL(l)
	}
	if l.script.Public {
		task.Proxy = l.Origin(Proxy)
		var err error
		if task.CAFile, err = l.WriteCA(p.State); err != nil {
			l.ended(fmt.Errorf("the certificate authority cannot be written: %w", err))
			return
		}
	}
	for _, change := range changes {
		change(&task)
	}
	timeout := p.Target.Timeout
	if timeout == 0 {
		timeout = RunTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := p.Target.Run(ctx, task)
	if ctx.Err() != nil {
		err = errors.Join(ErrTimeUp, err)
	}
	l.awaitReplies()
	l.ended(err)
}

// awaitReplies waits for the replies of redirect URIs that are under way. A client can end before
// the lab has read the reply.
func (l *Lab) awaitReplies() {
	l.mu.Lock()
	done := l.delivered
	l.mu.Unlock()
	if done == nil {
		return
	}
	select {
	case <-done:
	case <-time.After(replyTimeout):
	}
}

// beginDelivery counts an answer that a redirect URI has not replied to yet, and endDelivery its
// end.
func (l *Lab) beginDelivery() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.deliveries == 0 {
		l.delivered = make(chan struct{})
	}
	l.deliveries++
}

func (l *Lab) endDelivery() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deliveries--
	if l.deliveries == 0 {
		close(l.delivered)
	}
}

func (l *Lab) ended(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

// replyTimeout bounds how long a redirect URI may take to reply.
const replyTimeout = 10 * time.Second

// ErrTimeUp says that a client had to be ended.
var ErrTimeUp = errors.New("the client did not end in time")

// Err is how the last run ended.
func (l *Lab) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// bounded keeps the beginning of what a client tells its user.
type bounded struct{ lab *Lab }

func (b *bounded) Write(text []byte) (int, error) {
	b.lab.mu.Lock()
	defer b.lab.mu.Unlock()
	b.lab.output.Write(text[:min(len(text), max(0, maxOutput-b.lab.output.Len()))])
	return len(text), nil
}

// open is the person: visits a page and approves. Pages that are not of this lab are only
// remembered.
func (l *Lab) open(ctx context.Context, page string) error {
	l.mu.Lock()
	l.opened = append(l.opened, page)
	l.mu.Unlock()
	parsed, err := url.Parse(page)
	if err != nil || parsed.Scheme != "http" && parsed.Scheme != "https" {
		return fmt.Errorf("the person sees no page at %q", cut(page))
	}
	browser := &useragent.Browser{}
	if l.ca != nil {
		transport := l.transport()
		defer transport.CloseIdleConnections()
		browser.Transport = transport
	}
	_, err = browser.Visit(ctx, page)
	return err
}

func (l *Lab) serveDesk(w http.ResponseWriter, r *http.Request) {
	page, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err == nil && r.Method == http.MethodPost {
		err = l.open(r.Context(), string(page))
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
	}
}

// serve records a request and hands it to whom it is for.
func (l *Lab) serve(party Party, w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, maxBody))
	one := &Request{
		Party:  party,
		Method: r.Method,
		Path:   r.URL.Path,
		Query:  r.URL.Query(),
		Header: r.Header.Clone(),
		Body:   string(body),
		At:     time.Now(),
	}
	if party == Proxy {
		one.Path = r.RequestURI
	}
	one.read()
	if party == Server && r.URL.Path == l.script.Path {
		one.RPC, _ = one.JSON["method"].(string)
	}
	l.mu.Lock()
	full := len(l.record) >= maxRecord
	if !full {
		l.record = append(l.record, one)
	}
	l.mu.Unlock()
	if full {
		http.Error(w, "enough", http.StatusTooManyRequests)
		return
	}
	seen := &statusWriter{ResponseWriter: w, lab: l, request: one, original: r}
	if l.script.Intercept != nil && l.script.Intercept(l, one, seen, r) {
		return
	}
	switch party {
	case Server:
		l.serveServer(seen, one)
	case Issuer, Second:
		l.serveIssuer(party, seen, one)
	case Proxy:
		if to, is := partyAt(r.RequestURI); is && l.script.Public && r.Method == http.MethodConnect {
			l.tunnel(seen, to)
			return
		}
		http.Error(seen, "this proxy leads nowhere", http.StatusBadGateway)
	default:
		http.NotFound(seen, r)
	}
}

// statusWriter puts the status into the record.
type statusWriter struct {
	http.ResponseWriter
	lab      *Lab
	request  *Request
	original *http.Request
}

func (w *statusWriter) context() context.Context { return w.original.Context() }

func (w *statusWriter) WriteHeader(status int) {
	w.lab.mu.Lock()
	if w.request.Status == 0 {
		w.request.Status = status
	}
	w.lab.mu.Unlock()
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(text []byte) (int, error) {
	w.lab.mu.Lock()
	if w.request.Status == 0 {
		w.request.Status = http.StatusOK
	}
	w.lab.mu.Unlock()
	return w.ResponseWriter.Write(text)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// deliver sends an answer to a redirect URI, as another page in the person's browser could. It
// reports whether somebody was there.
func (l *Lab) deliver(ctx context.Context, redirect *url.URL, answer Answer) bool {
	address := *redirect
	query := address.Query()
	for name, values := range answer.Params {
		query[name] = values
	}
	address.RawQuery = query.Encode()
	if answer.Path != "" {
		address.Path = answer.Path
	}
	method := answer.Method
	if method == "" {
		method = http.MethodGet
	}
	if host := redirect.Hostname(); redirect.Scheme != "http" ||
		host != "localhost" && !net.ParseIP(host).IsLoopback() {
		return false
	}
	// The browser that asked may be gone before the reply is there, and the reply counts all the
	// same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), replyTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, address.String(), nil)
	if err != nil {
		return false
	}
	l.beginDelivery()
	defer l.endDelivery()
	response, err := l.transport().RoundTrip(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(response.Body, maxReply))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.replies = append(l.replies, fmt.Sprintf("%d %s", response.StatusCode, text))
	return true
}
