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

// A Browser is one browser with one person. Its zero value approves everything as the first account
// that it is offered. Cookies live as long as the Browser; it is not safe for concurrent use.
type Browser struct {
	// User is the account to pick, by its user principal name. Empty means the first that is
	// offered.
	User string
	// Password is typed where one is asked for.
	Password string
	// Deny presses the button that declines on the first page that has one. A sign-in page has one,
	// too: Cancel.
	Deny bool
	// Transport carries the requests. Nil means a transport of its own, to loopback only; a
	// transport given here decides itself where it goes.
	Transport http.RoundTripper
	// Visited hears of every page: the status, and the address without its query. Nil hears
	// nothing.
	Visited func(status int, address string)

	client *http.Client
}

// A Page is where a visit ended.
type Page struct {
	URL    *url.URL
	Status int
	Title  string
	Text   string // what a person would read, cut to 2,000 characters
}

// Bounds of one visit.
const (
	maxSteps    = 40
	maxPage     = 1 << 20
	maxText     = 2000 // of what a person would read
	stepTimeout = 30 * time.Second
)

// ErrTooManySteps says that a visit did not come to an end.
var ErrTooManySteps = fmt.Errorf("more than %d pages without an end", maxSteps)

// ErrNothingToDecline says that a visit with Deny met no page with a button that declines. The
// visit ends before the client gets its answer.
var ErrNothingToDecline = errors.New("no page asked for anything that could be declined")

// A PageError is an error page of Entra ID. Such a page has status 200, and no answer goes to the
// client.
type PageError struct {
	// Number is the AADSTS number, or 0 when the page names none.
	Number int
	// Message is the error as the page gives it. It begins with the number.
	Message string
	// Page is the error page.
	Page *Page
}

func (e *PageError) Error() string {
	return fmt.Sprintf("useragent: %s shows an error: %s", e.Page.URL.Host, e.Message)
}

// Visit opens an address and goes on until a page offers no way on. The page where it ends may have
// any status. An error page of Entra ID is a *PageError.
func (b *Browser) Visit(ctx context.Context, address string) (*Page, error) {
	if b.client == nil {
		jar, err := cookiejar.New(nil)
		if err != nil {
			return nil, err
		}
		transport := b.Transport
		if transport == nil {
			transport = &http.Transport{Proxy: nil, DialContext: dialLoopback, DisableKeepAlives: true}
		}
		b.client = &http.Client{
			Jar:           jar,
			Transport:     transport,
			Timeout:       stepTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
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
		from := next.URL
		if next, err = navigation(ctx, step.method, step.address, step.form, from); err != nil {
			return nil, err
		}
	}
	return nil, ErrTooManySteps
}

// A step is how to go on from a page.
type step struct {
	method, address string
	form            url.Values
	declines        bool // a button is pressed that says no
}

// carriesAnswer reports whether a step brings a code or a token to a client.
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

// navigation makes the request of a top-level navigation. A redirect never keeps the fragment,
// which is for the page alone.
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

// relation is the value of Sec-Fetch-Site for a step from one address to another.
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
	if location := response.Header.Get("Location"); location != "" && response.StatusCode >= 300 &&
		response.StatusCode < 400 {
		if response.StatusCode == http.StatusTemporaryRedirect || response.StatusCode == http.StatusPermanentRedirect {
			return nil, nil, fmt.Errorf(
				"useragent: %s answers with status %d, which would send a form on",
				request.URL.Host,
				response.StatusCode,
			)
		}
		return nil, &step{method: http.MethodGet, address: location}, nil
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxPage+1))
	if err != nil {
		return nil, nil, fmt.Errorf("useragent: %w", err)
	}
	if len(text) > maxPage {
		return nil, nil, fmt.Errorf("useragent: %s sends more than %d bytes", request.URL.Host, maxPage)
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

// withoutQuery takes the address out of an error, since its query may hold a code.
func withoutQuery(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		if parsed, parseErr := url.Parse(failed.URL); parseErr == nil {
			return fmt.Errorf("%s://%s: %w", parsed.Scheme, parsed.Host, failed.Err)
		}
	}
	return err
}

// dialLoopback connects to loopback and nothing else, whatever a name resolves to.
func dialLoopback(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("%s is not a loopback address, and this browser visits no other", host)
	}
	connection, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	// Closed by a reset, so that the port is free at once: thousands of visits in a minute would
	// use up the ports.
	if err := connection.(*net.TCPConn).SetLinger(0); err != nil {
		_ = connection.Close()
		return nil, err
	}
	return connection, nil
}
