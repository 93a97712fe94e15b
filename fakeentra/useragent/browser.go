package useragent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"
)

// A Browser is one browser with one person. Its zero value picks the first account and approves
// every request. It keeps cookies for all its visits. It is not safe for concurrent use.
type Browser struct {
	// User is the account to pick, by its user principal name. Empty means the first account.
	User string
	// Password is the password to type.
	Password string
	// Fields are values to type into other fields, by the names of the fields.
	Fields map[string]string
	// Deny presses the first button that declines, or follows the first link that does. On a
	// sign-in page this is Cancel.
	Deny bool
	// Transport sends the requests. Nil means a transport that connects only to loopback, and whose
	// connections end with each visit. Any other transport may connect anywhere.
	Transport http.RoundTripper
	// Visited is called for each page, with its status and its address without the query. Nil means
	// no call.
	Visited func(status int, address string)

	client *http.Client
}

// A Page is the last page of a visit.
type Page struct {
	URL    *url.URL
	Status int
	Title  string
	Text   string // visible text, at most 2,000 bytes
}

// Bounds of a visit.
const (
	maxSteps    = 40
	maxPage     = 1 << 20 // bytes
	maxText     = 2000    // bytes
	stepTimeout = 30 * time.Second
)

// ErrTooManySteps says that a visit did not end.
var ErrTooManySteps = fmt.Errorf("the visit did not end after %d pages", maxSteps)

// ErrNothingToDecline says that a visit with Deny found no button or link that declines. The visit
// ends before the client gets its answer.
var ErrNothingToDecline = errors.New("no page has a button that declines")

// A PageError is an error page of Entra ID. Its status is 200, and the client gets no answer.
type PageError struct {
	// Number is the AADSTS number, or 0 if the page has none.
	Number int
	// Message is the error text of the page. It begins with the number.
	Message string
	// Page is the error page.
	Page *Page
}

func (e *PageError) Error() string {
	return fmt.Sprintf("useragent: %s shows an error: %s", e.Page.URL.Host, e.Message)
}

// Visit opens an address, and continues until a page has no redirect and no form to send. This last
// page may have any status. An error page of Entra ID is a *PageError.
func (b *Browser) Visit(ctx context.Context, address string) (*Page, error) {
	if err := b.start(); err != nil {
		return nil, err
	}
	if b.Transport == nil {
		defer b.client.CloseIdleConnections()
	}
	next, err := navigation(ctx, http.MethodGet, address, nil, nil)
	if err != nil {
		return nil, err
	}
	declined := false
	for range maxSteps {
		page, step, err := b.open(next)
		if err != nil {
			return nil, err
		}
		if step == nil {
			return page, nil
		}
		declined = declined || step.declines
		if b.Deny && !declined && step.carriesAnswer() {
			return nil, ErrNothingToDecline
		}
		next, err = navigation(ctx, step.method, step.address, step.form, next.URL)
		if err != nil {
			return nil, err
		}
	}
	return nil, ErrTooManySteps
}

// start makes the HTTP client.
func (b *Browser) start() error {
	if b.client != nil {
		return nil
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	transport := b.Transport
	if transport == nil {
		// Idle connections end here before servers end them.
		transport = &http.Transport{Proxy: nil, DialContext: dialLoopback, IdleConnTimeout: time.Second}
	}
	b.client = &http.Client{
		Jar:           loopbackJar{jar},
		Transport:     transport,
		Timeout:       stepTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return nil
}

// A loopbackJar keeps cookies that are Secure for loopback too, as browsers do: its addresses are
// potentially trustworthy (W3C Secure Contexts section 3.1).
type loopbackJar struct{ http.CookieJar }

func (j loopbackJar) SetCookies(address *url.URL, cookies []*http.Cookie) {
	j.CookieJar.SetCookies(trustworthy(address), cookies)
}

func (j loopbackJar) Cookies(address *url.URL) []*http.Cookie {
	return j.CookieJar.Cookies(trustworthy(address))
}

// trustworthy returns an address on loopback with the scheme https, and any other as it is.
func trustworthy(address *url.URL) *url.URL {
	if !isLoopback(address.Hostname()) {
		return address
	}
	secure := *address
	secure.Scheme = "https"
	return &secure
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// A step is the next request after a page.
type step struct {
	method   string
	address  string
	form     url.Values
	declines bool // presses a button that declines
}

// carriesAnswer reports whether a step sends a code or a token to a client.
func (s *step) carriesAnswer() bool {
	target, err := url.Parse(s.address)
	if err != nil {
		return false
	}
	fragment, err := url.ParseQuery(target.Fragment)
	if err != nil {
		fragment = nil
	}
	for _, name := range []string{"code", "id_token", "access_token"} {
		if s.form.Has(name) || target.Query().Has(name) || fragment.Has(name) {
			return true
		}
	}
	return false
}

// navigation makes the request of a top-level navigation, without the fragment.
func navigation(ctx context.Context, method, address string, form url.Values, from *url.URL) (*http.Request, error) {
	target, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("useragent: %w", err)
	}
	if from != nil {
		target = from.ResolveReference(target)
	}
	if target.Scheme != "http" && target.Scheme != "https" || target.Host == "" {
		return nil, fmt.Errorf("useragent: want an http or https address, got %q", target.Redacted())
	}
	target.Fragment = ""
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader(form.Encode())
	}
	request, err := http.NewRequestWithContext(ctx, method, target.String(), body)
	if err != nil {
		return nil, fmt.Errorf("useragent: %w", err)
	}
	request.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	request.Header.Set("User-Agent", "fakeentra-visit")
	request.Header.Set("Sec-Fetch-Mode", "navigate")
	request.Header.Set("Sec-Fetch-Dest", "document")
	site := "none"
	if from != nil {
		site = relation(from, target)
	}
	request.Header.Set("Sec-Fetch-Site", site)
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.Header.Set("Origin", from.Scheme+"://"+from.Host)
	}
	return request, nil
}

// relation returns the value of Sec-Fetch-Site for a step from one address to another.
func relation(from, to *url.URL) string {
	switch {
	case from.Scheme == to.Scheme && from.Host == to.Host:
		return "same-origin"
	case from.Scheme == to.Scheme && from.Hostname() == to.Hostname():
		return "same-site"
	}
	return "cross-site"
}

func (b *Browser) open(request *http.Request) (*Page, *step, error) {
	response, err := b.client.Do(request)
	if err != nil {
		return nil, nil, fmt.Errorf("useragent: %w", withoutQuery(err))
	}
	defer response.Body.Close()
	if b.Visited != nil {
		b.Visited(response.StatusCode, request.URL.Scheme+"://"+request.URL.Host+request.URL.EscapedPath())
	}
	location := response.Header.Get("Location")
	switch status := response.StatusCode; {
	case location == "" || status < 300 || status >= 400:
	case status == http.StatusTemporaryRedirect || status == http.StatusPermanentRedirect:
		return nil, nil, fmt.Errorf("useragent: %s redirects with status %d, which would send a form to another page",
			request.URL.Host, status)
	default:
		drain(response)
		return nil, &step{method: http.MethodGet, address: location}, nil
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxPage+1))
	if err != nil {
		return nil, nil, fmt.Errorf("useragent: %w", err)
	}
	if len(text) > maxPage {
		return nil, nil, fmt.Errorf("useragent: want at most %d bytes from %s, got more", maxPage, request.URL.Host)
	}
	page := &Page{URL: request.URL, Status: response.StatusCode}
	if !strings.HasPrefix(response.Header.Get("Content-Type"), "text/html") {
		page.Text = string(text[:min(len(text), maxText)])
		return page, nil, nil
	}
	read := readPage(string(text))
	page.Title = read.title
	page.Text = read.text
	if message, found := read.entraError(); found {
		return nil, nil, &PageError{Number: aadstsNumber(message), Message: message, Page: page}
	}
	return page, b.decide(read), nil
}

// maxDrained bounds the body of a redirect that is read so that its connection can be used again.
const maxDrained = 4 << 10 // bytes

// drain reads the body of a redirect if it is short.
func drain(response *http.Response) {
	if response.ContentLength > maxDrained || response.ContentLength < 0 {
		return // closing the connection costs less
	}
	_, _ = io.Copy(io.Discard, response.Body)
}

// withoutQuery removes the query of the address in an error, because it may hold a code.
func withoutQuery(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		if parsed, parseErr := url.Parse(failed.URL); parseErr == nil {
			return fmt.Errorf("%s://%s: %w", parsed.Scheme, parsed.Host, failed.Err)
		}
	}
	return err
}

// dialLoopback connects only to localhost and to loopback addresses.
func dialLoopback(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if !isLoopback(host) {
		return nil, fmt.Errorf("%s is not a loopback address; this browser opens only loopback addresses", host)
	}
	connection, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	// Without a linger time the connection closes by a reset, and its port is free at once.
	// Otherwise thousands of visits in a minute would use up the ports.
	if err := connection.(*net.TCPConn).SetLinger(0); err != nil {
		_ = connection.Close()
		return nil, err
	}
	return connection, nil
}
