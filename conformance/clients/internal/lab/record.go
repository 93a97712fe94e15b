package lab

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"mcpentra/conformance/check"
)

// A Request is one that reached the lab.
type Request struct {
	Party  Party
	Method string
	Path   string // of a proxy: the whole target
	Query  url.Values
	Header http.Header
	Form   url.Values     // of a form
	JSON   map[string]any // of a JSON object
	Body   string
	At     time.Time // when it came
	// Status of the answer, 0 while there is none.
	Status int
	// RPC is the JSON-RPC method at the MCP endpoint.
	RPC string
}

// Bearer is the bearer token in the Authorization header, or nothing.
func (r *Request) Bearer() string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return token
}

// Contains reports whether a text is anywhere in the request.
func (r *Request) Contains(text string) bool {
	return r.ContainsOutsideHeader(text) ||
		slices.ContainsFunc(r.headerValues(), func(value string) bool { return strings.Contains(value, text) })
}

// ContainsOutsideHeader reports whether a text is in the address, the Referer or the body.
func (r *Request) ContainsOutsideHeader(text string) bool {
	if strings.Contains(r.Path, text) || strings.Contains(r.Body, text) ||
		strings.Contains(r.Header.Get("Referer"), text) {
		return true
	}
	for _, values := range []url.Values{r.Query, r.Form} {
		for _, value := range values {
			if slices.ContainsFunc(value, func(one string) bool { return strings.Contains(one, text) }) {
				return true
			}
		}
	}
	return false
}

func (r *Request) headerValues() []string {
	var all []string
	for _, values := range r.Header {
		all = append(all, values...)
	}
	return all
}

// Record returns every request so far, in the order in which they came.
func (l *Lab) Record() []Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]Request, 0, len(l.record))
	for _, one := range l.record {
		all = append(all, *one)
	}
	return all
}

// Find returns the requests that a func is true of.
func (l *Lab) Find(is func(*Request) bool) []Request {
	var found []Request
	for _, one := range l.Record() {
		if is(&one) {
			found = append(found, one)
		}
	}
	return found
}

// Authorizations are the requests to the authorization endpoint of a party, and Registrations and
// TokenRequests those to its other endpoints.
func (l *Lab) Authorizations(party Party) []Request { return l.at(party, l.endpoints().authorize) }

func (l *Lab) Registrations(party Party) []Request { return l.at(party, l.endpoints().register) }

func (l *Lab) TokenRequests(party Party) []Request { return l.at(party, l.endpoints().token) }

func (l *Lab) at(party Party, path string) []Request {
	return l.Find(func(r *Request) bool { return r.Party == party && r.Path == path })
}

// Used reports whether an authorization server saw more than a request for metadata.
func (l *Lab) Used(party Party) bool {
	return len(l.Authorizations(party))+len(l.Registrations(party))+len(l.TokenRequests(party)) > 0
}

// Endpoint returns the requests to the MCP endpoint.
func (l *Lab) Endpoint() []Request { return l.at(Server, l.path()) }

// AtEndpoint reports whether a request went to the MCP endpoint.
func (l *Lab) AtEndpoint(r *Request) bool { return r.Party == Server && r.Path == l.script.Path }

// Secrets is the method of authentication that the authorization servers list.
func (l *Lab) Secrets() string {
	if l.script.Secrets == "" {
		return "none"
	}
	return l.script.Secrets
}

// Called reports whether the tool was called with a good token, and answered.
func (l *Lab) Called() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.called > 0
}

// Calls is how often.
func (l *Lab) Calls() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.called
}

// Opened returns the pages that the client wanted to show to the person.
func (l *Lab) Opened() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.opened)
}

// Replies are what the client's redirect URI said to the answers that were sent there ahead of the
// last: status, blank, body.
func (l *Lab) Replies() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.replies)
}

// Output is what the client told its user, its error included.
func (l *Lab) Output() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := l.output.String()
	if l.err != nil {
		text += "\n" + l.err.Error()
	}
	return text
}

// Told is what the client told its user while it ran, without the error that it ended with.
func (l *Lab) Told() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.output.String()
}

// Mismatch says that the client breaks the rule of a check.
func (l *Lab) Mismatch(want, got string) error {
	return &check.Mismatch{Want: want, Got: got, Exchange: l.story()}
}

// Insecure says that the client let an attack have its effect.
func (l *Lab) Insecure(want, got string) error {
	return &check.Mismatch{Want: want, Got: got, Insecure: true, Exchange: l.story()}
}

// maxStory bounds the lines of a story.
const maxStory = 40

// story is the record in a few lines, without anything secret.
func (l *Lab) story() string {
	var text strings.Builder
	record := l.Record()
	for i, one := range record {
		if i == maxStory {
			fmt.Fprintf(&text, "and %d more\n", len(record)-i)
			break
		}
		status := "no answer"
		if one.Status != 0 {
			status = fmt.Sprint(one.Status)
		}
		fmt.Fprintf(&text, "%s: %s %q %s", one.Party, one.Method, cut(one.Path), one.RPC)
		text.WriteString(" " + status + "\n")
	}
	return text.String()
}

func cut(text string) string {
	if len(text) > 200 {
		return text[:200] + "…"
	}
	return text
}

// read fills in what the body says.
func (r *Request) read() {
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	switch kind {
	case "application/x-www-form-urlencoded":
		r.Form, _ = url.ParseQuery(r.Body)
	case "application/json":
		_ = json.Unmarshal([]byte(r.Body), &r.JSON)
	}
}
