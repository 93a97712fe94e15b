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

// A Request is one request that reached the lab.
type Request struct {
	Party  Party
	Method string
	Path   string // of a request to the proxy: the whole target
	Query  url.Values
	Header http.Header
	Form   url.Values     // of a form, else nil
	JSON   map[string]any // of a JSON object, else nil
	Body   string
	At     time.Time // the time of arrival
	// Status of the answer. It is 0 until there is an answer, at the time Answered.
	Status   int
	Answered time.Time
	// RPC is the JSON-RPC method of a request to the MCP endpoint.
	RPC string
}

// Bearer returns the bearer token in the Authorization header, or "".
func (r *Request) Bearer() string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return token
}

// Contains reports whether a text is anywhere in the request.
func (r *Request) Contains(text string) bool {
	if strings.Contains(r.Path, text) || strings.Contains(r.Body, text) {
		return true
	}
	holds := func(value string) bool { return strings.Contains(value, text) }
	for _, fields := range []map[string][]string{r.Header, r.Query, r.Form} {
		for _, values := range fields {
			if slices.ContainsFunc(values, holds) {
				return true
			}
		}
	}
	return false
}

// Record returns a copy of every request so far, in the order of arrival.
func (l *Lab) Record() []Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]Request, 0, len(l.record))
	for _, request := range l.record {
		all = append(all, *request)
	}
	return all
}

// Find returns the requests for which a func returns true.
func (l *Lab) Find(is func(*Request) bool) []Request {
	var found []Request
	for _, request := range l.Record() {
		if is(&request) {
			found = append(found, request)
		}
	}
	return found
}

// Saw reports whether a func returns true for a request.
func (l *Lab) Saw(is func(*Request) bool) bool { return len(l.Find(is)) > 0 }

// Authorizations returns the requests to the authorization endpoint of a party.
func (l *Lab) Authorizations(party Party) []Request { return l.at(party, l.endpoints().authorize) }

// Registrations returns the requests to the registration endpoint of a party.
func (l *Lab) Registrations(party Party) []Request { return l.at(party, l.endpoints().register) }

// TokenRequests returns the requests to the token endpoint of a party.
func (l *Lab) TokenRequests(party Party) []Request { return l.at(party, l.endpoints().token) }

func (l *Lab) at(party Party, path string) []Request {
	return l.Find(func(r *Request) bool { return r.Party == party && r.Path == path })
}

// Used reports whether a party got a request to one of its authorization server endpoints.
func (l *Lab) Used(party Party) bool {
	return len(l.Authorizations(party))+len(l.Registrations(party))+len(l.TokenRequests(party)) > 0
}

// Endpoint returns the requests to the MCP endpoint.
func (l *Lab) Endpoint() []Request { return l.at(Server, l.script.Path) }

// AtEndpoint reports whether a request went to the MCP endpoint.
func (l *Lab) AtEndpoint(r *Request) bool { return r.Party == Server && r.Path == l.script.Path }

// Called reports whether the tool was called with a valid token.
func (l *Lab) Called() bool { return l.Calls() > 0 }

// Calls returns how often the tool was called with a valid token.
func (l *Lab) Calls() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.toolCalls
}

// Mismatch returns an error that says that the client breaks the rule.
func (l *Lab) Mismatch(want, got string) error {
	return &check.Mismatch{Want: want, Got: got, Exchange: l.summary()}
}

// Insecure returns an error that says that an attack on the client succeeded.
func (l *Lab) Insecure(want, got string) error {
	return &check.Mismatch{Want: want, Got: got, Insecure: true, Exchange: l.summary()}
}

// maxSummary bounds the lines of a summary.
const maxSummary = 40

// maxOutputLines bounds the lines of the client's output in a summary.
const maxOutputLines = 8

// summary returns one line for each request, without secrets, and the end of the client's output.
func (l *Lab) summary() string {
	var text strings.Builder
	record := l.Record()
	for i, request := range record {
		if i == maxSummary {
			fmt.Fprintf(&text, "and %d more\n", len(record)-i)
			break
		}
		status := "no answer"
		if request.Status != 0 {
			status = fmt.Sprint(request.Status)
		}
		path := shorten(request.Path)
		fmt.Fprintf(&text, "%s: %s %q %s %s\n", request.Party, request.Method, path, request.RPC, status)
	}
	for line := range strings.Lines(l.LastOutput(maxOutputLines)) {
		fmt.Fprintf(&text, "client: %s\n", strings.TrimSuffix(line, "\n"))
	}
	if err := l.Err(); err != nil {
		fmt.Fprintf(&text, "client ended with: %s\n", shorten(strings.Map(printable, err.Error())))
	}
	return text.String()
}

// shorten cuts a text after 200 bytes.
func shorten(text string) string {
	if len(text) > 200 {
		return text[:200] + "…"
	}
	return text
}

// parseBody fills in Form or JSON.
func (r *Request) parseBody() {
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	switch kind {
	case "application/x-www-form-urlencoded":
		r.Form, _ = url.ParseQuery(r.Body)
	case "application/json":
		_ = json.Unmarshal([]byte(r.Body), &r.JSON)
	}
}
