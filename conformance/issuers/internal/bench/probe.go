package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/evidence"
	"mcpentra/conformance/internal/exchange"
)

// maxAnswer bounds the part of an answer that is read, in bytes.
const maxAnswer = 4 << 20

// A Probe sends requests to one target, and records the last exchange for reports. It is not safe
// for concurrent use; use a Clone in each goroutine.
type Probe struct {
	Revision check.Revision

	target  Target
	client  *http.Client
	last    func() string // describes the last exchange for a report
	secrets *exchange.Secrets
	real    *realPerson

	document *Metadata // that Metadata has read
}

// Clone returns a probe of the same target.
func (p *Probe) Clone() *Probe {
	clone := *p
	clone.last = nil
	return &clone
}

// Target returns the target.
func (p *Probe) Target() Target { return p.target }

// A Request is an HTTP request to the authorization server.
type Request struct {
	Method string // empty means GET, or POST with a body
	URL    string
	Header http.Header
	Body   []byte
	Form   url.Values // instead of Body
}

// An Answer is the response to a request.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Send sends a request as it is. An error means that no answer came, so the check cannot be done.
func (p *Probe) Send(ctx context.Context, request Request) (*Answer, error) {
	header := http.Header{"Accept": {"application/json"}}
	if request.Form != nil {
		p.remember(request.Form)
		request.Body = []byte(request.Form.Encode())
		header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	maps.Copy(header, request.Header)
	method := request.Method
	if method == "" && request.Body != nil {
		method = http.MethodPost
	}
	sent, err := http.NewRequestWithContext(ctx, method, request.URL, bytes.NewReader(request.Body))
	if err != nil {
		return nil, &check.CannotJudge{Reason: "the server names a malformed address", Err: err}
	}
	sent.Header = header
	response, err := p.client.Do(sent)
	if err != nil {
		return nil, &check.CannotJudge{Reason: "the server gives no answer", Err: err}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err == nil && len(body) > maxAnswer {
		err = fmt.Errorf("it has more than %d bytes", maxAnswer)
	}
	if err != nil {
		return nil, &check.CannotJudge{Reason: "the answer cannot be read to its end", Err: err}
	}
	p.last = func() string { return p.record(sent, response) }
	evidence.Record(ctx, p.last)
	return &Answer{Status: response.StatusCode, Header: response.Header, Body: body}, nil
}

// IsBusy reports whether an answer says nothing about the request, because the server is overloaded
// or limits the rate.
func (a *Answer) IsBusy() bool {
	return a.Status == http.StatusTooManyRequests || a.Status == http.StatusServiceUnavailable
}

// ErrorCode returns the error code of a JSON answer, or "".
func (a *Answer) ErrorCode() string {
	var refusal struct {
		Error any `json:"error"`
	}
	if err := json.Unmarshal(a.Body, &refusal); err != nil {
		return ""
	}
	code, isText := refusal.Error.(string)
	if !isText {
		return ""
	}
	return code
}

// String describes an answer in words.
func (a *Answer) String() string {
	if code := a.ErrorCode(); code != "" {
		return fmt.Sprintf("status %d %s", a.Status, code)
	}
	return fmt.Sprintf("status %d", a.Status)
}

// Mismatch returns a mismatch with the last exchange.
func (p *Probe) Mismatch(want, got string) *check.Mismatch {
	exchange := ""
	if p.last != nil {
		exchange = p.last()
	}
	return &check.Mismatch{Want: p.shown(want), Got: p.shown(got), Exchange: exchange}
}

// Insecure returns a Mismatch that says that bad input had an effect.
func (p *Probe) Insecure(want, got string) *check.Mismatch {
	mismatch := p.Mismatch(want, got)
	mismatch.Insecure = true
	return mismatch
}

// MismatchAt returns a Mismatch with a rule of another level than the check's.
func (p *Probe) MismatchAt(level check.Level, want, got string) *check.Mismatch {
	mismatch := p.Mismatch(want, got)
	mismatch.Level = level
	return mismatch
}

// All returns an error with all the mismatches, or nil if all of them are nil. The report shows the
// worst one first.
func All(mismatches ...*check.Mismatch) error {
	found := slices.DeleteFunc(mismatches, func(m *check.Mismatch) bool { return m == nil })
	if len(found) == 0 {
		return nil
	}
	first := *found[0]
	first.Others = append(slices.Clone(first.Others), found[1:]...)
	return &first
}
