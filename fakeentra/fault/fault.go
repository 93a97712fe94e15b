package fault

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/endpoint"
)

// Forever is for Fault.Times.
const Forever = -1

// How large the parts of a fault may be.
const (
	maxDelay = time.Hour
	maxBody  = 1 << 20 // bytes
	maxTimes = 1_000_000
)

// A Fault is one thing that goes wrong. It needs at least one effect, Delay to CutAfter.
type Fault struct {
	// Name is what reports call it. Empty means what it does.
	Name string `json:"name,omitempty" yaml:"name"`

	// On is the endpoint that is struck. Empty means any.
	On endpoint.Name `json:"on,omitempty" yaml:"on"`
	// Client is the application ID of the client that is struck. Empty means any.
	Client string `json:"client,omitempty" yaml:"client"`
	// Grant is the grant_type of token requests that are struck. Empty means any.
	Grant string `json:"grant,omitempty" yaml:"grant"`
	// Nth is the first matching request that is struck, counted from 1 since the fault was added. 0
	// means 1.
	Nth int `json:"nth,omitempty" yaml:"nth"`
	// Times is how many matching requests are struck. 0 means 1; Forever (-1) means every one.
	Times int `json:"times,omitempty" yaml:"times"`

	// Processed carries the request out before its answer is lost or replaced: a code is then
	// redeemed, although the client never learns of it. Without it Drop, AADSTS and Status mean
	// that nothing has happened.
	Processed bool `json:"processed,omitempty" yaml:"processed"`
	// Delay is how long the answer waits, by the real clock, unless the client leaves before.
	Delay time.Duration `json:"-" yaml:"delay"`
	// Drop closes the connection without an answer.
	Drop bool `json:"drop,omitempty" yaml:"drop"`
	// AADSTS is the number of an error to answer with, in the form that the endpoint has for
	// errors: JSON, a redirect to the client, or a page.
	AADSTS int `json:"aadsts,omitempty" yaml:"aadsts"`
	// Status replaces the answer by one of this status, whose body is Body. With Edit, Change,
	// Garbage or CutAfter it changes the status alone.
	Status int `json:"status,omitempty" yaml:"status"`
	// Body is the text of the answer with Status. Empty means the name of the status.
	Body string `json:"body,omitempty" yaml:"body"`
	// RetryAfter is the header Retry-After, in whole seconds.
	RetryAfter time.Duration `json:"-" yaml:"retryAfter"`
	// Header are header fields that are set; an empty value takes one away.
	Header map[string]string `json:"header,omitempty" yaml:"header"`
	// Edit is merged into an answer that is a JSON object (RFC 7396): null takes a member away.
	Edit map[string]any `json:"edit,omitempty" yaml:"edit"`
	// Change edits an answer that is a JSON object, for what Edit cannot say. In Go only.
	Change func(document map[string]any) `json:"-" yaml:"-"`
	// Garbage replaces the body by bytes that are neither JSON nor text, under the same header.
	Garbage bool `json:"garbage,omitempty" yaml:"garbage"`
	// CutAfter closes the connection after so many bytes of the body. 0 means not at all.
	CutAfter int `json:"cutAfter,omitempty" yaml:"cutAfter"`
}

// Check says what cannot be meant by a fault.
func (f *Fault) Check() error {
	var wrong []error
	add := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf("fault: "+format, args...)) }
	if f.On != "" && !f.On.Known() {
		add("no endpoint %q", f.On)
	}
	if f.Nth < 0 || f.Nth > maxTimes {
		add("nth: want 1 or more, got %d", f.Nth)
	}
	if f.Times < Forever || f.Times > maxTimes {
		add("times: want 1 or more, or -1 for ever; got %d", f.Times)
	}
	if f.Delay < 0 || f.Delay > maxDelay {
		add("delay: want at most %v, got %v", maxDelay, f.Delay)
	}
	if f.RetryAfter < 0 || f.RetryAfter%time.Second != 0 {
		add("retryAfter: want whole seconds, got %v", f.RetryAfter)
	}
	if f.Status != 0 && (f.Status < 200 || f.Status > 599) {
		add("status: want 200 to 599, got %d", f.Status)
	}
	if _, found := aadsts.Find(f.AADSTS); f.AADSTS != 0 && !found {
		add("aadsts: %d is not in the catalogue", f.AADSTS)
	}
	if f.CutAfter < 0 {
		add("cutAfter: want a number of bytes, got %d", f.CutAfter)
	}
	if len(f.Body) > maxBody {
		add("body: want at most %d bytes, got %d", maxBody, len(f.Body))
	}
	replaces := f.AADSTS != 0 || f.Status != 0 || f.Body != "" || f.RetryAfter != 0 || len(f.Header) > 0
	spoils := f.edits() || f.Garbage || f.CutAfter > 0
	switch {
	case f.Delay == 0 && !f.Drop && !replaces && !spoils:
		add("want an effect: delay, drop, aadsts, status, retryAfter, header, edit, garbage or cutAfter")
	case f.Drop && (replaces || spoils):
		add("drop sends nothing, so that nothing else can be said of the answer")
	case f.AADSTS != 0 && (f.Status != 0 || f.Body != ""):
		add("aadsts brings its own status and body")
	case f.Body != "" && f.Status == 0:
		add("body: want a status beside it")
	case f.Garbage && (f.edits() || f.Body != ""):
		add("garbage replaces the body, so that there is nothing to edit")
	case f.edits() && f.Body != "":
		add("edit changes the true answer, and body replaces it")
	}
	for name, value := range f.Header {
		if name == "" || strings.ContainsAny(name+value, "\r\n\x00") || strings.ContainsAny(name, " :") {
			add("header: %q is not a header field", name)
		}
	}
	return errors.Join(wrong...)
}

func (f *Fault) edits() bool { return len(f.Edit) > 0 || f.Change != nil }

// Replaces reports whether the true answer is not sent, not even in part.
func (f *Fault) Replaces() bool {
	return f.Drop || f.AADSTS != 0 || f.Status != 0 && !f.edits() && !f.Garbage && f.CutAfter == 0
}

// String says what the fault does, such as "token: 429, retry after 1m0s".
func (f *Fault) String() string {
	if f.Name != "" {
		return f.Name
	}
	var does []string
	add := func(when bool, format string, args ...any) {
		if when {
			does = append(does, fmt.Sprintf(format, args...))
		}
	}
	add(f.Delay > 0, "delay %v", f.Delay)
	add(f.Drop, "drop")
	add(f.AADSTS != 0, "AADSTS%d", f.AADSTS)
	add(f.Status != 0, "%d", f.Status)
	add(f.RetryAfter > 0, "retry after %v", f.RetryAfter)
	add(len(f.Header) > 0, "header")
	add(f.edits(), "edit")
	add(f.Garbage, "garbage")
	add(f.CutAfter > 0, "cut after %d", f.CutAfter)
	add(f.Processed, "processed")
	where := string(f.On)
	if where == "" {
		where = "any endpoint"
	}
	return where + ": " + strings.Join(does, ", ")
}

// Apply sets the fault's header fields.
func (f *Fault) Apply(header http.Header) {
	if f.RetryAfter > 0 {
		header.Set("Retry-After", fmt.Sprint(int(f.RetryAfter/time.Second)))
	}
	for name, value := range f.Header {
		if value == "" {
			header.Del(name)
		} else {
			header.Set(name, value)
		}
	}
}
