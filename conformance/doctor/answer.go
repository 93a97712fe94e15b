package doctor

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
)

const (
	// maxBody bounds the body of an answer, in bytes.
	maxBody = 256 << 10
	// maxAddress bounds an address that a deployment sends, in bytes.
	maxAddress = 16 << 10
)

// A question is a request of the walk.
type question struct {
	method  string
	address string
	header  http.Header
	body    string
	stream  io.Reader     // in place of body
	length  int64         // of stream
	within  time.Duration // 0 means Config.Patience
	browser bool          // with the cookies of the browser
}

// An answer is what came back. One of err and status is set.
type answer struct {
	address string
	status  int
	header  http.Header
	body    []byte
	cut     bool // the body was longer than maxBody, or did not end
	err     error
}

// errTooMany ends a walk that a deployment keeps busy.
var errTooMany = fmt.Errorf("the walk has sent %d requests, its most", mostRequests)

// ask sends a question.
func (w *walk) ask(ctx context.Context, q question) *answer {
	within := q.within
	if within == 0 {
		within = w.config.Patience
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	a := &answer{address: q.address, header: http.Header{}}
	w.requests++
	if w.requests > mostRequests {
		a.err = errTooMany
		return a
	}
	body := q.stream
	if q.body != "" {
		body = strings.NewReader(q.body)
	}
	request, err := http.NewRequestWithContext(ctx, q.method, q.address, body)
	if err != nil {
		a.err = err
		return a
	}
	for name, values := range q.header {
		request.Header[name] = values
	}
	if q.stream != nil {
		request.ContentLength = q.length
	}
	request.Header.Set("User-Agent", "mcp-auth-conformance-doctor/1")
	client := w.client
	if q.browser {
		client = w.browser
	}
	response, err := client.Do(request)
	if err != nil {
		a.err = err
		return a
	}
	defer response.Body.Close()
	a.status = response.StatusCode
	a.header = response.Header
	a.read(response.Body)
	return a
}

// read reads the body. Of an event stream it reads only the first part.
func (a *answer) read(body io.Reader) {
	if a.contentType() == "text/event-stream" {
		part := make([]byte, 4<<10)
		n, err := body.Read(part)
		a.body = part[:n]
		a.cut = err != nil && !errors.Is(err, io.EOF)
		return
	}
	text, err := io.ReadAll(io.LimitReader(body, maxBody+1))
	a.cut = err != nil || len(text) > maxBody
	a.body = text[:min(len(text), maxBody)]
}

// get asks for a document.
func (w *walk) get(ctx context.Context, address string) *answer {
	return w.ask(ctx, question{
		method:  http.MethodGet,
		address: address,
		header:  http.Header{"Accept": {"application/json"}, "Mcp-Protocol-Version": {revision}},
	})
}

func (a *answer) contentType() string {
	kind, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return kind
}

func (a *answer) isRedirect() bool {
	return a.status/100 == 3 && a.status != http.StatusNotModified && a.header.Get("Location") != ""
}

// location returns the target of a redirect, or nil.
func (a *answer) location() *url.URL {
	target := a.header.Get("Location")
	base, err := url.Parse(a.address)
	if err != nil || target == "" || len(target) > maxAddress {
		return nil
	}
	at, err := base.Parse(target)
	if err != nil {
		return nil
	}
	return at
}

// isPage reports whether the answer is a web page.
func (a *answer) isPage() bool {
	kind := a.contentType()
	return kind == "text/html" || kind == "application/xhtml+xml" ||
		kind == "" && strings.HasPrefix(strings.ToLower(strings.TrimSpace(string(a.body))), "<!doctype html")
}

// object returns the JSON object in the body, or nil.
func (a *answer) object() map[string]any {
	var object map[string]any
	if a.cut || json.Unmarshal(a.body, &object) != nil {
		return nil
	}
	return object
}

// says describes an answer in one line, for Step.did and for findings.
func (w *walk) says(a *answer) string {
	if a.err != nil {
		return w.trouble(a.err)
	}
	text := fmt.Sprintf("%d", a.status)
	if name := http.StatusText(a.status); name != "" {
		text += " " + name
	}
	switch {
	case a.isRedirect():
		text += " to " + w.secrets.Shown(withoutQuery(a.header.Get("Location")))
	case a.isPage():
		text += ", a web page"
	case a.contentType() != "" && len(a.body) > 0:
		text += ", " + w.secrets.Shown(a.contentType())
	}
	return text
}

// withoutQuery cuts the query off an address, which may hold a code or a state.
func withoutQuery(address string) string {
	before, _, found := strings.Cut(address, "?")
	if found {
		return before + "?…"
	}
	return address
}

// lastError returns the text of the innermost error.
func lastError(err error) string {
	for errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	return err.Error()
}

// trouble says in a few words why no answer came.
func (w *walk) trouble(err error) string {
	var dns *net.DNSError
	var name x509.HostnameError
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var inside *insideError
	switch {
	case errors.Is(err, errTooMany), errors.Is(err, errUnsent):
		return w.secrets.Shown(lastError(err))
	case errors.As(err, &inside):
		return inside.Error()
	case errors.As(err, &dns):
		return fmt.Sprintf("DNS has no address for %s", w.secrets.Shown(dns.Name))
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection is refused"
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("no complete answer within %v", w.config.Patience)
	case errors.As(err, &name), errors.As(err, &authority), errors.As(err, &invalid):
		return w.secrets.Shown("its certificate is not valid: " + err.Error())
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return "the connection is closed without an answer"
	}
	text := err.Error()
	switch {
	case strings.Contains(text, "HTTP response to HTTPS client"):
		return "the server speaks plain http at a port for https"
	case strings.Contains(text, "response headers exceeded"):
		return "the head of the answer is too long"
	}
	var inURL *url.Error
	if errors.As(err, &inURL) {
		text = inURL.Err.Error()
	}
	return w.secrets.Shown(text)
}
