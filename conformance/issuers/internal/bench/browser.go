package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"mcpentra/conformance/check"
)

// An Exchange is a request of a browser, and the answer of the authorization server or of the
// server where people sign in.
type Exchange struct {
	Request *http.Request
	Form    url.Values // of a POST
	Answer
}

// A Browser is a browser with a scripted person. It records the exchanges, and ends a visit when it
// is sent to a client.
type Browser struct {
	// Tamper changes a request before it is sent. If it returns an answer, the request is not sent.
	Tamper func(request *http.Request, form url.Values) *http.Response

	probe *Probe
	visit Visit

	mu        sync.Mutex
	clients   []string // origins of clients
	exchanges []Exchange
	landed    []*url.URL
	visits    int
}

// NewBrowser opens a browser without cookies.
func (p *Probe) NewBrowser() *Browser {
	b := &Browser{probe: p}
	b.visit = p.target.Person(b)
	return b
}

// Visit opens an address until the browser is sent to one of the redirect URIs, or until nothing is
// left to do. It returns the addresses of clients to which the browser was sent: none, or the
// first. Person scripts return an error at pages that they cannot handle; that ends the visit too.
func (b *Browser) Visit(ctx context.Context, address string, decline bool, redirects ...string) (*url.URL, error) {
	b.mu.Lock()
	b.exchanges = nil
	b.landed = nil
	b.visits++
	visit := b.visits
	for _, redirect := range redirects {
		b.clients = append(b.clients, originOf(redirect))
	}
	b.mu.Unlock()
	errVisit := b.visit(ctx, address, decline)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.visits != visit {
		// Tamper has made another visit meanwhile, whose end does not count here.
		b.landed = b.landed[min(1, len(b.landed)):]
	}
	switch {
	case len(b.landed) > 0:
		return b.landed[0], nil
	case ctx.Err() != nil, len(b.exchanges) == 0:
		return nil, &check.CannotJudge{Reason: "the browser did not get to the end", Err: errVisit}
	}
	return nil, nil
}

// Exchanges returns the exchanges of the last visit.
func (b *Browser) Exchanges() []Exchange {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.exchanges)
}

// Last returns the last exchange of the last visit.
func (b *Browser) Last() Exchange {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.exchanges) == 0 {
		return Exchange{}
	}
	return b.exchanges[len(b.exchanges)-1]
}

// originOf returns the scheme, host and port of an address, in lower case.
func originOf(address string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.ToLower(parsed.Scheme + "://" + parsed.Host)
}

// isClient reports whether an address belongs to a client. Names in the domain example exist only
// in checks.
func (b *Browser) isClient(address *url.URL) bool {
	return strings.HasSuffix(strings.ToLower(address.Hostname()), ".example") ||
		slices.Contains(b.clients, originOf(address.String()))
}

// RoundTrip makes Browser the transport of its person.
func (b *Browser) RoundTrip(request *http.Request) (*http.Response, error) {
	b.mu.Lock()
	isClient := b.isClient(request.URL)
	if isClient {
		b.landed = append(b.landed, request.URL)
	}
	b.mu.Unlock()
	if isClient {
		return page(request, http.StatusOK, "The client has its answer."), nil
	}
	form, err := readForm(request)
	if err != nil {
		return nil, err
	}
	b.probe.remember(form)
	if b.Tamper != nil {
		if answer := b.Tamper(request, form); answer != nil {
			return answer, nil
		}
	}
	response, err := b.transport().RoundTrip(request)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	_ = response.Body.Close()
	if err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	b.mu.Lock()
	defer b.mu.Unlock()
	answer := Answer{Status: response.StatusCode, Header: response.Header, Body: body}
	b.exchanges = append(b.exchanges, Exchange{Request: request, Form: form, Answer: answer})
	b.probe.last = func() string { return b.probe.record(request, response) }
	if target := b.redirectToClient(request, response); target != nil {
		b.landed = append(b.landed, target)
		end := page(request, http.StatusOK, "The client has its answer.")
		end.Header["Set-Cookie"] = response.Header["Set-Cookie"]
		return end, nil
	}
	return response, nil
}

// redirectToClient returns the target of a redirect to a client, with its fragment, which a browser
// does not send. Every scheme except http and https belongs to a client.
func (b *Browser) redirectToClient(request *http.Request, response *http.Response) *url.URL {
	if response.StatusCode/100 != 3 {
		return nil
	}
	target, err := request.URL.Parse(BrowserReading(response.Header.Get("Location")))
	if err != nil {
		return nil
	}
	isWeb := target.Scheme == "http" || target.Scheme == "https"
	if isWeb && !b.isClient(target) {
		return nil
	}
	return target
}

// BrowserReading returns an address as browsers read it. They leave out tabs and line breaks, and
// control characters and blanks around the address (WHATWG URL, basic URL parser).
func BrowserReading(address string) string {
	isAround := func(c rune) bool { return c <= ' ' }
	return strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(strings.TrimFunc(address, isAround))
}

func (b *Browser) transport() http.RoundTripper {
	if b.probe.client.Transport != nil {
		return b.probe.client.Transport
	}
	return http.DefaultTransport
}

// readForm reads the form of a POST, and leaves the request as it was.
func readForm(request *http.Request) (url.Values, error) {
	if request.Body == nil {
		return nil, nil
	}
	text, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	_ = request.Body.Close()
	request.Body = io.NopCloser(bytes.NewReader(text))
	return url.ParseQuery(string(text))
}

// newBody returns the body of a request.
func newBody(text string) io.ReadCloser { return io.NopCloser(strings.NewReader(text)) }

// Stop returns an answer for Tamper that ends a visit.
func Stop(request *http.Request) *http.Response {
	return page(request, http.StatusOK, "The visit ends here.")
}

func page(request *http.Request, status int, text string) *http.Response {
	return &http.Response{
		Status:     fmt.Sprintf("%d %s", status, http.StatusText(status)),
		StatusCode: status,
		ProtoMajor: 1,
		ProtoMinor: 1,
		Header:     http.Header{"Content-Type": {"text/plain"}},
		Body:       io.NopCloser(strings.NewReader(text)),
		Request:    request,
	}
}
