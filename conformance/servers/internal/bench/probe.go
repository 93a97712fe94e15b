package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/exchange"
)

// maxAnswer bounds the part of an answer that is read, in bytes.
const maxAnswer = 4 << 20

var errTooLong = fmt.Errorf("it has more than %d bytes", maxAnswer)

// A Probe sends requests to one target at one revision, and records the last exchange for reports.
type Probe struct {
	Revision check.Revision
	// Capabilities are the client capabilities in requests of 2026-07-28. Nil means none.
	Capabilities map[string]any

	target Target
	survey *lazySurvey // nil if the check runs without one
	client *http.Client
	last   func() string // describes the last exchange for a report

	// Clones share these with their original.
	ids     *atomic.Int64 // of messages
	secrets *exchange.Secrets
	good    *goodTokens
}

// Clone returns a probe of the same target, revision and capabilities. Use one in each goroutine,
// because a probe records one exchange at a time. A clone and its original mask the credentials
// that either has sent, and never use the same message ID.
func (p *Probe) Clone() *Probe {
	clone := *p
	clone.last = nil
	return &clone
}

// URL returns the URL of the MCP endpoint.
func (p *Probe) URL() string { return p.target.URL }

// Token returns an access token of a kind. An error means that the check cannot be done.
func (p *Probe) Token(ctx context.Context, kind TokenKind) (string, error) {
	supply := p.target.Tokens[kind]
	if supply == nil {
		return "", &check.CannotJudge{Reason: "no token of the kind: " + string(kind)}
	}
	token, err := supply(ctx)
	if err != nil {
		return "", &check.CannotJudge{Reason: "no token of the kind: " + string(kind), Err: err}
	}
	p.secrets.Add(token)
	if kind == Good || kind == OtherUser || kind == Refreshed {
		p.good.add(token)
	}
	return token, nil
}

// Supplies reports whether the target supplies access tokens of a kind.
func (p *Probe) Supplies(kind TokenKind) bool { return p.target.Tokens[kind] != nil }

// CanMint reports whether the target has the issuer's key.
func (p *Probe) CanMint(ctx context.Context) bool {
	return p.target.Mint != nil && (p.survey == nil || p.survey.get(ctx).badKey == "")
}

// Mint makes a token with the issuer's key. An error means that the check cannot be done.
func (p *Probe) Mint(ctx context.Context, edits Edits) (string, error) {
	if p.target.Mint == nil {
		return "", &check.CannotJudge{Reason: "there is no key to make tokens with"}
	}
	token, err := p.target.Mint(ctx, edits)
	if err != nil {
		return "", &check.CannotJudge{Reason: "no token can be made", Err: err}
	}
	p.secrets.Add(token)
	return token, nil
}

// A Request is an HTTP request to the target. Its zero value is the first MCP message of the
// probe's revision, without credentials.
type Request struct {
	Method string // empty means POST
	URL    string // empty means the MCP endpoint
	Query  url.Values
	Header http.Header // added to the headers of the revision
	Host   string      // empty means the host of the URL
	Body   []byte      // nil in a POST means the first message of the revision
	// Unsized omits the length of the body, so that it is sent in chunks or frames.
	Unsized bool

	marker string // of the canary
}

// Bearer returns a header with a token.
func Bearer(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

// An Answer is the response to a request.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	// Took is the time from the request to the end of the answer, without other work of Send.
	Took time.Duration
}

// Send sends a request as it is. An error means that no answer came, so the check cannot be done.
func (p *Probe) Send(ctx context.Context, request Request) (*Answer, error) {
	sent, err := p.prepare(ctx, request)
	if err != nil {
		return nil, err
	}
	p.remember(sent)
	began := time.Now()
	response, err := p.client.Do(sent)
	if err != nil {
		return nil, &check.CannotJudge{Reason: "the server gives no answer", Err: err}
	}
	defer response.Body.Close()
	body, err := readAnswer(response)
	if err != nil {
		return nil, &check.CannotJudge{Reason: "the answer cannot be read to its end", Err: err}
	}
	took := time.Since(began)
	p.answered(ctx, func() string { return p.record(sent, response) })
	return &Answer{
		Status: response.StatusCode,
		Header: response.Header,
		Body:   body,
		Took:   took,
	}, nil
}

// Stream sends a request and returns the events of its answer as they come, or nil if the answer is
// not a stream. The caller closes it.
func (p *Probe) Stream(ctx context.Context, request Request) (io.ReadCloser, error) {
	sent, err := p.prepare(ctx, request)
	if err != nil {
		return nil, err
	}
	p.remember(sent)
	client := *p.client
	client.Timeout = 0 // the context bounds a stream
	response, err := client.Do(sent)
	if err != nil {
		return nil, &check.CannotJudge{Reason: "the server gives no answer", Err: err}
	}
	p.answered(ctx, func() string { return p.record(sent, response) })
	if response.StatusCode != http.StatusOK || !isEventStream(response) {
		_ = response.Body.Close()
		return nil, nil
	}
	return response.Body, nil
}

func isEventStream(response *http.Response) bool {
	return strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream")
}

// prepare makes the HTTP request.
func (p *Probe) prepare(ctx context.Context, request Request) (*http.Request, error) {
	if request.Method == "" {
		request.Method = http.MethodPost
	}
	address := request.URL
	if address == "" {
		address = p.target.URL
	}
	if len(request.Query) > 0 {
		address += "?" + request.Query.Encode()
	}
	// net/http does not send a header without values. This one lets it retry on a new connection
	// when the server closes an idle one at the same moment.
	header := http.Header{"Accept": {"application/json, text/event-stream"}, "Idempotency-Key": {}}
	if request.Method == http.MethodPost && request.Body == nil {
		first := p.First()
		request.Body = first.Body
		maps.Copy(header, first.Header)
	} else if p.Revision != check.R20250326 && request.URL == "" {
		header.Set("Mcp-Protocol-Version", string(p.Revision))
	}
	maps.Copy(header, request.Header)
	sent, err := http.NewRequestWithContext(ctx, request.Method, address, bytes.NewReader(request.Body))
	if err != nil {
		return nil, &check.CannotJudge{Reason: "the request is malformed", Err: err}
	}
	sent.Header = header
	if request.Unsized {
		sent.ContentLength = -1
	}
	sent.Host = request.Host
	return sent, nil
}

// readAnswer reads a body. An event stream may never end, so it reads up to the event with the
// response. It reads nothing of the stream that answers a GET, because that stream may stay silent.
func readAnswer(response *http.Response) ([]byte, error) {
	if isEventStream(response) {
		return readResponseEvent(response)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err == nil && len(body) > maxAnswer {
		return nil, errTooLong
	}
	return body, err
}

func readResponseEvent(response *http.Response) ([]byte, error) {
	if response.Request.Method == http.MethodGet {
		return nil, nil
	}
	limited := &io.LimitedReader{R: response.Body, N: maxAnswer + 1}
	lines := bufio.NewScanner(limited)
	lines.Buffer(nil, maxAnswer)
	for lines.Scan() {
		data, isData := strings.CutPrefix(lines.Text(), "data:")
		if isData && isResponse(data) {
			return []byte(data), nil
		}
	}
	if limited.N <= 0 {
		return nil, errTooLong
	}
	return nil, lines.Err()
}

// isResponse reports whether a text is a JSON-RPC response.
func isResponse(text string) bool {
	var message struct{ Result, Error json.RawMessage }
	err := json.Unmarshal([]byte(text), &message)
	return err == nil && (message.Result != nil || message.Error != nil)
}

// Mismatch returns an error that says that the last answer breaks the rule.
func (p *Probe) Mismatch(want, got string) error {
	return &check.Mismatch{Want: p.shown(want), Got: p.shown(got), Exchange: p.exchange()}
}

// Insecure returns a Mismatch that says that bad input had an effect.
func (p *Probe) Insecure(want, got string) error {
	return &check.Mismatch{Want: p.shown(want), Got: p.shown(got), Exchange: p.exchange(), Insecure: true}
}

// MismatchAt returns a Mismatch with a rule of another level than the check's.
func (p *Probe) MismatchAt(level check.Level, want, got string) error {
	return &check.Mismatch{Want: p.shown(want), Got: p.shown(got), Exchange: p.exchange(), Level: level}
}

// exchange describes the last exchange, or returns "". It is called only for a report, when all
// credentials are known.
func (p *Probe) exchange() string {
	if p.last == nil {
		return ""
	}
	return p.last()
}

// Control shows that a good request succeeds, so that a refusal afterwards means something. It
// returns the good token.
func (p *Probe) Control(ctx context.Context) (token string, err error) {
	token, err = p.Token(ctx, Good)
	if err != nil {
		return "", err
	}
	answer, err := p.Send(ctx, Request{Header: Bearer(token)})
	if err != nil {
		return "", err
	}
	if p.RefusesRevision(answer) {
		return "", &check.NotSpoken{Revision: p.Revision}
	}
	if !answer.Succeeded() {
		return "", p.failedControl(answer)
	}
	return token, nil
}

// failedControl says that a good request did not succeed. It quotes the answer's JSON-RPC error.
func (p *Probe) failedControl(answer *Answer) error {
	reason := fmt.Sprintf("the control failed: with a good token the server answers %d", answer.Status)
	var message struct {
		Error struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	if err := json.Unmarshal(answer.Body, &message); err == nil && message.Error.Code != 0 {
		reason += fmt.Sprintf(" with the error %d %q", message.Error.Code, p.shown(message.Error.Message))
	}
	return &check.CannotJudge{Reason: reason}
}

// WantRefused sends a request, and wants it refused with 401.
func (p *Probe) WantRefused(ctx context.Context, request Request) (*Answer, error) {
	answer, err := p.Send(ctx, request)
	if err != nil {
		return nil, err
	}
	switch {
	case answer.Status == http.StatusUnauthorized:
		return answer, nil
	case answer.Status/100 == 2:
		return answer, p.Insecure("status 401", fmt.Sprintf("status %d", answer.Status))
	}
	return answer, p.Mismatch("status 401", fmt.Sprintf("status %d", answer.Status))
}

// Succeeded reports whether an answer is the result of an MCP request.
func (a *Answer) Succeeded() bool {
	var message struct {
		Result json.RawMessage `json:"result"`
	}
	if err := json.Unmarshal(a.Body, &message); err != nil || a.Status != http.StatusOK {
		return false
	}
	return len(message.Result) > 0 && string(message.Result) != "null"
}

// RefusesRevision reports whether an answer says that the server does not speak the revision: error
// -32022 of MCP 2026-07-28, or any error for the first message of that revision.
func (p *Probe) RefusesRevision(answer *Answer) bool {
	if answer.Status == http.StatusUnauthorized || answer.Status == http.StatusForbidden {
		return false // the server refuses the caller, whatever the body says
	}
	var message struct {
		Error *struct {
			Code int `json:"code"`
		} `json:"error"`
	}
	if err := json.Unmarshal(answer.Body, &message); err != nil || message.Error == nil {
		return p.Revision == check.R20260728 && answer.Status == http.StatusBadRequest
	}
	return message.Error.Code == -32022 || p.Revision == check.R20260728
}

// JSON fetches a document and decodes it into a value. It also returns the answer.
func (p *Probe) JSON(ctx context.Context, address string, into any) (*Answer, error) {
	header := http.Header{"Accept": {"application/json"}}
	answer, err := p.Send(ctx, Request{Method: http.MethodGet, URL: address, Header: header})
	if err != nil {
		return nil, err
	}
	if answer.Status != http.StatusOK {
		return answer, p.Mismatch("status 200", fmt.Sprintf("status %d", answer.Status))
	}
	if err := json.Unmarshal(answer.Body, into); err != nil {
		return answer, p.Mismatch("a JSON object", err.Error())
	}
	return answer, nil
}

// maxPatience is shorter than the time of a check, so that the check can report what it found.
const maxPatience = 20 * time.Second

// Patience returns how long a check waits for something to end.
func (p *Probe) Patience() time.Duration {
	if p.target.Patience <= 0 {
		return maxPatience
	}
	return min(p.target.Patience, maxPatience)
}

// Handles returns the target's tools with state. Only checks that need them may call it.
func (p *Probe) Handles() Handles {
	if p.target.Handles == nil {
		return Handles{}
	}
	return *p.target.Handles
}

// Rounds returns the target's tool that asks for input. Only checks that need it may call it.
func (p *Probe) Rounds() Rounds {
	if p.target.Rounds == nil {
		return Rounds{}
	}
	return *p.target.Rounds
}

// Whoami returns the target's tool that names its caller. Only checks that need it may call it.
func (p *Probe) Whoami() Whoami {
	if p.target.Whoami == nil {
		return Whoami{}
	}
	return *p.target.Whoami
}

// Local returns the machine's addresses on which the target must not listen.
func (p *Probe) Local() []string { return p.target.Local }

// TaskTool returns the target's tool that can be called as a task, or "".
func (p *Probe) TaskTool() string { return p.target.TaskTool }

// Forwarded returns the requests that the server has sent upstream so far, or nil if the target
// does not show them.
func (p *Probe) Forwarded() []Forwarded {
	if p.target.Forwarded == nil {
		return nil
	}
	return p.target.Forwarded()
}

// Log returns the server's log so far, or "" if the target does not show it.
func (p *Probe) Log() string {
	if p.target.Log == nil {
		return ""
	}
	return p.target.Log()
}
