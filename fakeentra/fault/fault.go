package fault

import (
	"errors"
	"fmt"
	"net/http"
	"path"
	"strings"
	"time"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/endpoint"
)

// Forever is the Times of a fault that applies to every matching request.
const Forever = -1

// Bounds of the fields of a fault.
const (
	maxDelay = time.Hour
	maxBody  = 1 << 20 // bytes
	maxTimes = 1_000_000
)

// A Fault changes the answers to some requests. It needs at least one effect, that is, one of the
// fields from Delay to CutAfter. The package documentation says how to add an effect.
type Fault struct {
	// Name is the name of the fault in reports. Empty means a description of its effects.
	Name string `json:"name,omitempty" yaml:"name"`

	// On selects the requests to an endpoint. Empty means any.
	On endpoint.Name `json:"on,omitempty" yaml:"on"`
	// Path selects the requests to a path, for example /v1.0/users/*/memberOf. An asterisk matches
	// any characters of one part. A fault with a path also applies inside a batch of Graph. Empty
	// means any path.
	Path string `json:"path,omitempty" yaml:"path"`
	// Client selects the requests of a client by its application ID. Empty means any.
	Client string `json:"client,omitempty" yaml:"client"`
	// Grant selects token requests by their grant_type. Empty means any.
	Grant string `json:"grant,omitempty" yaml:"grant"`
	// Nth is the number of the first matching request that gets the fault. It counts from 1 since
	// the fault was added. 0 means 1.
	Nth int `json:"nth,omitempty" yaml:"nth"`
	// Times is the number of requests that get the fault. 0 means 1. Forever (-1) means all from
	// Nth on.
	Times int `json:"times,omitempty" yaml:"times"`

	// Processed executes the request before its answer is lost or replaced. A code is then used
	// up, although the client never learns it. Without Processed, the request has no effect.
	Processed bool `json:"processed,omitempty" yaml:"processed"`
	// Delay delays the answer by the real clock. It ends early if the client disconnects.
	Delay time.Duration `json:"-" yaml:"delay"`
	// Drop closes the connection without an answer.
	Drop bool `json:"drop,omitempty" yaml:"drop"`
	// AADSTS answers with an error by its number, in the error format of the endpoint: JSON, a
	// redirect to the client, or a page.
	AADSTS int `json:"aadsts,omitempty" yaml:"aadsts"`
	// Status replaces the answer by this status with Body. With Edit, Change, Garbage or CutAfter
	// it changes only the status.
	Status int `json:"status,omitempty" yaml:"status"`
	// Body is the body of the answer with Status. Empty means the name of the status.
	Body string `json:"body,omitempty" yaml:"body"`
	// RetryAfter sets the header Retry-After, in whole seconds.
	RetryAfter time.Duration `json:"-" yaml:"retryAfter"`
	// Header sets header fields. An empty value removes a field.
	Header map[string]string `json:"header,omitempty" yaml:"header"`
	// Edit is merged into an answer that is a JSON object (RFC 7396). Null removes a member.
	Edit map[string]any `json:"edit,omitempty" yaml:"edit"`
	// Change edits an answer that is a JSON object, if Edit cannot express it. Only in Go.
	Change func(document map[string]any) `json:"-" yaml:"-"`
	// Garbage replaces the body by bytes that are neither JSON nor text, with the same header.
	Garbage bool `json:"garbage,omitempty" yaml:"garbage"`
	// CutAfter closes the connection after this many bytes of the body. 0 means never.
	CutAfter int `json:"cutAfter,omitempty" yaml:"cutAfter"`
}

// Check returns the mistakes in a fault.
func (f *Fault) Check() error {
	var wrong []error
	refuse := func(isWrong bool, format string, args ...any) {
		if isWrong {
			wrong = append(wrong, fmt.Errorf("fault: "+format, args...))
		}
	}
	f.checkValues(refuse)
	f.checkEffects(refuse)
	return errors.Join(wrong...)
}

// checkValues checks each field by itself.
func (f *Fault) checkValues(refuse func(isWrong bool, format string, args ...any)) {
	_, isError := aadsts.Find(f.AADSTS)
	wholeSeconds := f.RetryAfter >= 0 && f.RetryAfter%time.Second == 0
	refuse(f.On != "" && !f.On.Known(), "on: unknown endpoint %q; want one of %v", f.On, endpoint.All())
	_, err := path.Match(f.Path, "")
	refuse(f.Path != "" && (err != nil || f.Path[0] != '/'), "path: want a path like /v1.0/users/*, got %q", f.Path)
	refuse(f.Nth < 0 || f.Nth > maxTimes, "nth: want 1 to %d, got %d", maxTimes, f.Nth)
	refuse(f.Times < Forever || f.Times > maxTimes,
		"times: want 1 to %d, or -1 for no limit, got %d", maxTimes, f.Times)
	refuse(f.Delay < 0 || f.Delay > maxDelay, "delay: want at most %v, got %v", maxDelay, f.Delay)
	refuse(!wholeSeconds, "retryAfter: want whole seconds, got %v", f.RetryAfter)
	refuse(f.Status != 0 && (f.Status < 200 || f.Status > 599), "status: want 200 to 599, got %d", f.Status)
	refuse(f.AADSTS != 0 && !isError, "aadsts: the error %d is not in the catalogue", f.AADSTS)
	refuse(f.CutAfter < 0, "cutAfter: want a number of bytes, got %d", f.CutAfter)
	refuse(len(f.Body) > maxBody, "body: want at most %d bytes, got %d", maxBody, len(f.Body))
	for name, value := range f.Header {
		isField := name != "" && !strings.ContainsAny(name, " :") && !strings.ContainsAny(name+value, "\r\n\x00")
		refuse(!isField, "header: %q is not a header field", name)
	}
}

// checkEffects checks that there is an effect, and that the effects fit together.
func (f *Fault) checkEffects(refuse func(isWrong bool, format string, args ...any)) {
	sets := f.Status != 0 || f.Body != ""
	replaces := f.AADSTS != 0 || sets || f.RetryAfter != 0 || len(f.Header) > 0
	changes := f.edits() || f.Garbage || f.CutAfter > 0
	refuse(f.Delay == 0 && !f.Drop && !replaces && !changes,
		"want an effect: delay, drop, aadsts, status, retryAfter, header, edit, garbage or cutAfter")
	refuse(f.Drop && (replaces || changes), "drop sends no answer; remove it or the keys that change the answer")
	refuse(f.AADSTS != 0 && sets, "aadsts sets the status and the body; remove status and body")
	refuse(f.Body != "" && f.Status == 0, "body needs a status")
	refuse(f.Garbage && (f.edits() || f.Body != ""), "garbage replaces the body; remove edit and body")
	refuse(f.edits() && f.Body != "", "edit changes the answer and body replaces it; remove one of them")
}

func (f *Fault) edits() bool { return len(f.Edit) > 0 || f.Change != nil }

// Replaces reports whether the fault replaces the whole answer.
func (f *Fault) Replaces() bool {
	return f.Drop || f.AADSTS != 0 || f.Status != 0 && !f.edits() && !f.Garbage && f.CutAfter == 0
}

// String returns the name of the fault, or a description like "token: 429, retry after 1m0s".
func (f *Fault) String() string {
	if f.Name != "" {
		return f.Name
	}
	var effects []string
	add := func(when bool, format string, args ...any) {
		if when {
			effects = append(effects, fmt.Sprintf(format, args...))
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
	return where + ": " + strings.Join(effects, ", ")
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
