package bench

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/exchange"
)

// Unusable means that the target cannot be tested: it is unreachable, or it is not an MCP endpoint.
// The reason is one line, and says what to do.
type Unusable struct{ Reason string }

func (e *Unusable) Error() string { return e.Reason }

// The times of the first look. Together they stay below 15 seconds. A target that allows more than
// reachTime for its first answer gets that time for each later one too, but not at guessed
// addresses.
const (
	reachTime    = 10 * time.Second // for the first answer, if the target says nothing else
	lookTime     = 4 * time.Second  // for each later answer
	documentTime = 3 * time.Second  // for a document
	guessTime    = 2 * time.Second  // for answers at guessed addresses
	maxRedirects = 5
)

// firstAnswer returns how long the server may take for its first answer.
func (t *Target) firstAnswer() time.Duration {
	if t.FirstAnswer > 0 {
		return t.FirstAnswer
	}
	return reachTime
}

// within returns how long the server may take for an answer that usually gets a shorter time.
func (t *Target) within(usual time.Duration) time.Duration {
	if t.FirstAnswer > reachTime {
		return t.FirstAnswer
	}
	return usual
}

// Scaled returns the limit that a slow target gets in place of a usual one: longer in proportion to
// the time for its first answer.
func (p *Probe) Scaled(usual time.Duration) time.Duration { return p.target.scaled(usual) }

func (t *Target) scaled(usual time.Duration) time.Duration {
	return exchange.Stretch(usual, t.FirstAnswer, reachTime)
}

// Reach sends the first message of a client without a token, and returns the answer. The error is
// an *Unusable if the target is not an MCP endpoint.
func (t *Target) Reach(ctx context.Context) (*Answer, error) {
	p := newProbe(*t, check.R20251125)
	defer p.closeOwnConnections()
	p.client.Timeout = 0 // the contexts bound the answers
	answer, err := p.sendWithin(ctx, t.firstAnswer(), Request{})
	if err != nil {
		return nil, t.unreachable(ctx, err)
	}
	ctx, cancel := context.WithTimeout(ctx, t.within(lookTime))
	defer cancel()
	if isRedirect(answer) {
		return nil, p.followRedirects(ctx, answer)
	}
	if isEndpoint(answer) {
		return answer, nil
	}
	if other := p.reachOtherwise(ctx); other != nil {
		return other, nil
	}
	return nil, p.notMCP(ctx, answer)
}

// closeOwnConnections closes the connections of a probe, unless the target's client has others too.
func (p *Probe) closeOwnConnections() {
	if p.target.HTTPClient == nil {
		p.client.CloseIdleConnections()
	}
}

// sendWithin sends a request, and bounds the time for its whole answer.
func (p *Probe) sendWithin(ctx context.Context, limit time.Duration, request Request) (*Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return p.Send(ctx, request)
}

// reachOtherwise sends the first message of the newest revision, and then both first messages with
// the good token. It returns the first answer of an MCP endpoint, or nil.
func (p *Probe) reachOtherwise(ctx context.Context) *Answer {
	headers := []http.Header{nil}
	if p.target.Tokens[Good] != nil {
		if token, err := p.Token(ctx, Good); err == nil {
			headers = append(headers, Bearer(token))
		}
	}
	for _, header := range headers {
		for _, revision := range []check.Revision{check.R20260728, check.R20251125} {
			limit := p.target.within(guessTime)
			answer, err := p.WithRevision(revision).sendWithin(ctx, limit, Request{Header: header})
			if err == nil && isEndpoint(answer) {
				return answer
			}
		}
	}
	return nil
}

// unreachable says why no answer came.
func (t *Target) unreachable(ctx context.Context, err error) error {
	if ended := ctx.Err(); ended != nil {
		return ended
	}
	host := t.URL
	if parsed, err := url.Parse(t.URL); err == nil {
		host = parsed.Host
	}
	var dns *net.DNSError
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var record tls.RecordHeaderError
	text := err.Error()
	reason := ""
	switch {
	case errors.As(err, &dns):
		reason = fmt.Sprintf("no host has the name %q; check the URL", dns.Name)
	case errors.Is(err, syscall.ECONNREFUSED):
		reason = fmt.Sprintf("nothing listens at %s (connection refused); start the server, or check the URL", host)
	case errors.Is(err, errTooLong):
		reason = fmt.Sprintf("the answer of %s does not end: %v", host, errTooLong)
	case strings.Contains(text, "response headers exceeded"):
		const format = "the head of the answer of %s does not end: it has more than %d bytes"
		reason = fmt.Sprintf(format, host, exchange.MaxHeader)
	case errors.Is(err, context.DeadlineExceeded):
		reason = fmt.Sprintf(
			"no complete answer from %s within %v; for a slow server, allow more with --timeout",
			host, t.firstAnswer(),
		)
	case errors.As(err, &unknown):
		reason = fmt.Sprintf("the certificate of %s has an unknown authority; trust it with --ca-file", host)
	case errors.As(err, &name):
		reason = fmt.Sprintf("the certificate of %s is for another host: %v", host, name)
	case errors.As(err, &record), strings.Contains(text, "HTTP response to HTTPS client"):
		reason = fmt.Sprintf("%s does not speak TLS; the URL may begin with http://", host)
	case strings.Contains(text, `malformed HTTP response "\x15\x03`):
		reason = fmt.Sprintf("%s speaks TLS; the URL may begin with https://", host)
	case strings.Contains(text, "malformed"), strings.Contains(text, "readLoopPeekFailLocked"):
		// The second is net/http's text for a peer that speaks before it is asked.
		reason = fmt.Sprintf("%s does not speak HTTP; check the port in the URL", host)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET),
		errors.Is(err, syscall.EPIPE), strings.Contains(text, "server closed idle connection"):
		reason = fmt.Sprintf("%s closes the connection without a complete answer; check the port in the URL", host)
	default:
		cannot := (*check.CannotJudge)(nil)
		if errors.As(err, &cannot) && cannot.Err != nil {
			err = cannot.Err
		}
		reason = fmt.Sprintf("no answer from %s: %s", host, firstLine(err.Error()))
	}
	return &Unusable{Reason: reason}
}

// firstLine returns the first line of a text.
func firstLine(text string) string {
	first, _, _ := strings.Cut(text, "\n")
	return first
}

func isRedirect(answer *Answer) bool {
	statuses := []int{
		http.StatusMovedPermanently,
		http.StatusFound,
		http.StatusSeeOther,
		http.StatusTemporaryRedirect,
		http.StatusPermanentRedirect,
	}
	return slices.Contains(statuses, answer.Status) && answer.Header.Get("Location") != ""
}

// followRedirects says where the endpoint's redirects end. It sends no credentials, and stays at
// the endpoint's origin.
func (p *Probe) followRedirects(ctx context.Context, answer *Answer) error {
	base, err := url.Parse(p.target.URL)
	if err != nil {
		return unusable("the URL is malformed: %v", err)
	}
	at := base
	visited := []string{base.String()}
	for range maxRedirects {
		location := answer.Header.Get("Location")
		next, err := at.Parse(location)
		if err != nil {
			return unusable("the endpoint redirects to a malformed URL: %s", p.shown(location))
		}
		next.Fragment = ""
		address := p.shown(next.String())
		if next.Scheme != base.Scheme || next.Host != base.Host {
			return unusable("the endpoint redirects to %s; if the server is there, give that URL", address)
		}
		if slices.Contains(visited, next.String()) {
			return unusable("the endpoint redirects in a circle, at last to %s; check the URL", address)
		}
		visited = append(visited, next.String())
		at = next
		answer, err = p.sendWithin(ctx, guessTime, Request{URL: next.String()})
		switch {
		case err != nil:
			return unusable("the endpoint redirects to %s, which gives no answer; check the URL", address)
		case isEndpoint(answer):
			return unusable("the endpoint redirects to %s; give that URL", address)
		case !isRedirect(answer):
			return unusable("the endpoint redirects to %s, which is not an MCP endpoint (status %d); check the URL",
				address, answer.Status)
		}
	}
	return unusable("the endpoint redirects more than %d times; check the URL", maxRedirects)
}

// unusable returns an Unusable.
func unusable(format string, values ...any) error {
	return &Unusable{Reason: fmt.Sprintf(format, values...)}
}

// isPage reports whether an answer is a web page.
func isPage(answer *Answer) bool {
	kind, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	return err == nil && (kind == "text/html" || kind == "application/xhtml+xml")
}

// isEndpoint reports whether an answer can be the one of an MCP endpoint to its first message. A
// refusal does not show more than its status.
func isEndpoint(answer *Answer) bool {
	switch {
	case isMessage(answer.Body):
		return true
	case answer.Status == http.StatusUnauthorized:
		return true
	case isPage(answer) || speaksPlainHTTP(answer):
		return false
	}
	switch answer.Status {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone, http.StatusNotImplemented:
		return false
	}
	return answer.Status/100 == 4 || answer.Status == http.StatusInternalServerError
}

// isMessage reports whether a body is a JSON-RPC response.
func isMessage(body []byte) bool {
	var message struct {
		Result json.RawMessage `json:"result"`
		Error  *struct{}       `json:"error"`
	}
	return json.Unmarshal(body, &message) == nil && (message.Result != nil || message.Error != nil)
}

// speaksPlainHTTP reports whether a server of TLS refuses a request without it.
func speaksPlainHTTP(answer *Answer) bool {
	text := string(answer.Body)
	return answer.Status == http.StatusBadRequest && strings.Contains(text, "HTTP request") &&
		strings.Contains(text, "HTTPS")
}

// notMCP says what the target is, and where the endpoint may be.
func (p *Probe) notMCP(ctx context.Context, answer *Answer) error {
	if speaksPlainHTTP(answer) {
		return unusable("the server speaks TLS; the URL may begin with https://")
	}
	guess := p.guessEndpoint(ctx)
	if !isPage(answer) {
		// A page is there to be read, so a POST shows none.
		header := http.Header{"Accept": {"text/html"}}
		page, err := p.sendWithin(ctx, guessTime, Request{Method: http.MethodGet, Header: header})
		if err == nil && page.Status == http.StatusOK && isPage(page) {
			answer = page
		}
	}
	kind := p.shown(answer.Header.Get("Content-Type"))
	if kind == "" {
		kind = "no content type"
	}
	switch {
	case isPage(answer) && answer.Status/100 == 2:
		return unusable("this is a web page, the MCP endpoint may be %s", guess)
	case isPage(answer):
		return unusable("this is a web page (status %d), the MCP endpoint may be %s", answer.Status, guess)
	case answer.Status >= http.StatusBadGateway:
		const advice = "check whether the MCP server behind it runs"
		return unusable("the server answers %d to the first message; %s", answer.Status, advice)
	case answer.Status/100 == 2:
		return unusable(
			"this is not an MCP endpoint: it answers the first message with status %d and %s, not with JSON-RPC; "+
				"the MCP endpoint may be %s",
			answer.Status, kind, guess,
		)
	}
	return unusable("this is not an MCP endpoint (status %d to the first message), the MCP endpoint may be %s",
		answer.Status, guess)
}

// guessEndpoint asks at the usual addresses, and returns the first with an MCP endpoint. Without
// one it returns the most usual.
func (p *Probe) guessEndpoint(ctx context.Context) string {
	endpoint, err := url.Parse(p.target.URL)
	if err != nil {
		return "…/mcp"
	}
	origin := endpoint.Scheme + "://" + endpoint.Host
	guesses := []string{
		origin + strings.TrimSuffix(endpoint.EscapedPath(), "/") + "/mcp",
		origin + "/mcp",
		origin + "/mcp/",
		origin + "/api/mcp",
		origin + "/",
	}
	guesses = slices.DeleteFunc(guesses, func(guess string) bool { return guess == p.target.URL })
	found := make([]bool, len(guesses))
	var group sync.WaitGroup
	for i, guess := range guesses {
		group.Go(func() {
			answer, err := p.Clone().sendWithin(ctx, guessTime, Request{URL: guess})
			found[i] = err == nil && (isMessage(answer.Body) || answer.Status == http.StatusUnauthorized)
		})
	}
	group.Wait()
	if i := slices.Index(found, true); i >= 0 {
		return guesses[i]
	}
	if strings.HasSuffix(endpoint.EscapedPath(), "/mcp") {
		return "at another path"
	}
	return origin + "/mcp"
}
