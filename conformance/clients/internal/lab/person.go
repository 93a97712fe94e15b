package lab

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"time"

	"mcpentra/conformance/internal/exchange"
	"mcpentra/fakeentra/useragent"
)

// opener is the server that opens pages for a client in another process.
const opener Party = "opener"

// replyTimeout bounds how long a redirect URI may take to reply.
const replyTimeout = 10 * time.Second

// open is the person, who visits a page and approves.
func (l *Lab) open(ctx context.Context, page string) error {
	l.mu.Lock()
	l.opened = append(l.opened, page)
	l.mu.Unlock()
	parsed, err := url.Parse(page)
	if err != nil || parsed.Scheme != "http" && parsed.Scheme != "https" {
		return fmt.Errorf("want an http or https URL of a page, got %q", shorten(page))
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

// serveOpener opens the page in the body of a POST.
func (l *Lab) serveOpener(w http.ResponseWriter, r *http.Request) {
	page, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err == nil && r.Method == http.MethodPost {
		err = l.open(r.Context(), string(page))
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
	}
}

// deliver sends an answer to a redirect URI, as another page in the person's browser could. It
// reports whether the redirect URI replied.
func (l *Lab) deliver(ctx context.Context, redirect *url.URL, answer Answer) bool {
	if host := redirect.Hostname(); host != "localhost" && !net.ParseIP(host).IsLoopback() {
		return false
	}
	if redirect.Scheme != "http" {
		return false
	}
	address := withParams(redirect, answer.Params)
	if answer.Path != "" {
		address.Path = answer.Path
	}
	method := answer.Method
	if method == "" {
		method = http.MethodGet
	}
	// The reply counts even if the browser that asked disconnects before.
	ctx, cancel := exchange.Within(context.WithoutCancel(ctx), replyTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, address.String(), nil)
	if err != nil {
		return false
	}
	request.Host = answer.Host
	l.deliveryStarted()
	defer l.deliveryEnded()
	request = request.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { l.foundListener() },
	}))
	response, err := l.transport().RoundTrip(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(response.Body, maxReply))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.replies = append(l.replies, Reply{response.StatusCode, response.Header, string(text)})
	return true
}

// foundListener remembers that the redirect URI has a listener.
func (l *Lab) foundListener() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.connected = true
}

// withParams returns a copy of a URL with parameters set in its query.
func withParams(address *url.URL, params url.Values) *url.URL {
	changed := *address
	query := changed.Query()
	for name, values := range params {
		query[name] = values
	}
	changed.RawQuery = query.Encode()
	return &changed
}

// deliveryStarted and deliveryEnded count the answers without a reply, for awaitReplies.
func (l *Lab) deliveryStarted() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.deliveries == 0 {
		l.delivered = make(chan struct{})
	}
	l.deliveries++
}

func (l *Lab) deliveryEnded() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deliveries--
	if l.deliveries == 0 {
		close(l.delivered)
	}
}

// Opened returns the pages that the client opened for the person.
func (l *Lab) Opened() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.opened)
}

// HasListener reports whether an answer before the last reached a listener at the redirect URI. A
// client without a listener reads the redirect itself.
func (l *Lab) HasListener() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.connected
}

// A Reply is the answer of a redirect URI to an authorization response.
type Reply struct {
	Status int
	Header http.Header
	Body   string
}

// Replies returns the redirect URI's replies to all answers but the last.
func (l *Lab) Replies() []Reply {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.replies)
}
