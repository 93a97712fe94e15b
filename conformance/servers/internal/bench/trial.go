package bench

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"mcpentra/conformance/check"
)

// A Trial is a request that succeeds with a good token, so that a check can send it with a flaw. It
// calls the target's canary. Without a canary it sends the first message of the revision.
type Trial struct {
	Token   string // the good one, or empty in a bare trial
	Session *Session

	probe *Probe
}

// Trial shows that the flawless request succeeds, and that the canary counts it. An error means
// that a refusal afterwards would mean nothing.
func (p *Probe) Trial(ctx context.Context) (*Trial, error) {
	token, err := p.Token(ctx, Good)
	if err != nil {
		return nil, err
	}
	session, err := p.Open(ctx, token)
	if err != nil {
		return nil, err
	}
	trial := &Trial{Token: token, Session: session, probe: p}
	if !trial.HasCanary() {
		return trial, nil // the request of the trial is the one that opened the session
	}
	request := trial.Request()
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := p.Send(ctx, request)
	if err != nil {
		return nil, err
	}
	if !answer.Succeeded() {
		return nil, p.failedControl(answer)
	}
	if runs := trial.Runs(request); runs != 1 {
		return nil, &check.CannotJudge{Reason: fmt.Sprintf(
			"the control failed: the tool ran %d times after one call, according to the canary", runs,
		)}
	}
	return trial, nil
}

// BareTrial is a Trial without a good token. Its request is the first message, which has no
// session. It shows that the server refuses that message with 401, so that a result afterwards
// means something. An error means that it would mean nothing.
func (p *Probe) BareTrial(ctx context.Context) (*Trial, error) {
	answer, err := p.Send(ctx, p.First())
	if err != nil {
		return nil, err
	}
	if answer.Succeeded() {
		const reason = "the server answers a request without a token with a result"
		return nil, &check.Skipped{Of: withoutToken, Reason: reason}
	}
	if answer.Status != http.StatusUnauthorized {
		return nil, &check.Skipped{Reason: fmt.Sprintf(
			"needs a token of the kind: good; without one the server answers %d and not 401", answer.Status,
		)}
	}
	return &Trial{Session: &Session{probe: p}, probe: p}, nil
}

// HasGoodToken reports whether the target supplies a good token, and the server serves it.
func (p *Probe) HasGoodToken(ctx context.Context) bool {
	return p.Supplies(Good) && (p.survey == nil || p.survey.get(ctx).refused == "")
}

// IsBare reports whether the trial has no good token.
func (t *Trial) IsBare() bool { return t.Token == "" }

// Request returns the request of the trial, without credentials.
func (t *Trial) Request() Request {
	if !t.HasCanary() {
		return t.probe.First()
	}
	return t.marked(rand.Text())
}

// marked returns a call of the canary with a marker.
func (t *Trial) marked(marker string) Request {
	request := t.Session.Message(
		"tools/call",
		map[string]any{"name": t.probe.target.Canary.Tool, "arguments": map[string]any{"marker": marker}},
	)
	request.marker = marker
	return request
}

// LongRequest returns a request whose marker has at least a number of bytes, so that the canary's
// answer has them too. Only checks that need a canary may call it.
func (t *Trial) LongRequest(size int) Request {
	return t.marked(rand.Text() + strings.Repeat("x", size))
}

// HasCanary reports whether the trial can call a canary.
func (t *Trial) HasCanary() bool { return t.probe.target.Canary != nil && !t.IsBare() }

// Ran reports whether a request of the trial had its effect, according to the canary.
func (t *Trial) Ran(request Request) bool {
	canary := t.probe.target.Canary
	return canary != nil && request.marker != "" && canary.Ran(request.marker) > 0
}

// Runs returns how often a request of the trial had its effect. Only checks that need a canary may
// call it.
func (t *Trial) Runs(request Request) int { return t.probe.target.Canary.Ran(request.marker) }

// WantRefused sends a request that must have no effect. An effect or a status 2xx is insecure. Any
// other unwanted status only breaks the rule. The name says which flaw the request has.
func (t *Trial) WantRefused(ctx context.Context, name string, request Request, want ...int) (*Answer, error) {
	answer, err := t.probe.Send(ctx, request)
	if err != nil {
		return nil, err
	}
	return answer, t.judge(name, request, answer, want)
}

func (t *Trial) judge(name string, request Request, answer *Answer, want []int) error {
	switch {
	case t.Ran(request):
		return t.probe.Insecure("the tool not to run: "+name, fmt.Sprintf("status %d, and the tool ran", answer.Status))
	case answer.Succeeded():
		return t.probe.Insecure("no result: "+name, "the result of the request")
	case answer.Status/100 == 2 && !slices.Contains(want, answer.Status):
		return t.probe.Insecure(Statuses(want)+": "+name, fmt.Sprintf("status %d", answer.Status))
	case !slices.Contains(want, answer.Status):
		return t.probe.Mismatch(Statuses(want)+": "+name, fmt.Sprintf("status %d", answer.Status))
	}
	return nil
}

// WantRefusedRaw is WantRefused for bytes on a new connection. A server may close the connection
// without an answer.
func (t *Trial) WantRefusedRaw(
	ctx context.Context, name string, request Request, bytes []byte, want ...int,
) (*Conversation, error) {
	conversation, err := t.probe.Raw(ctx, bytes)
	if err != nil {
		return nil, err
	}
	for _, answer := range conversation.Answers {
		if err := t.judge(name, request, answer, want); err != nil {
			return conversation, err
		}
	}
	if t.Ran(request) {
		return conversation, t.probe.Insecure("the tool not to run: "+name, "no answer, and the tool ran")
	}
	return conversation, nil
}

// maxStatuses is how many statuses a report lists.
const maxStatuses = 5

// Statuses describes conforming statuses in words. All statuses 4xx together are one entry.
func Statuses(want []int) string {
	want = slices.Compact(slices.Sorted(slices.Values(want)))
	rest := slices.DeleteFunc(slices.Clone(want), func(status int) bool { return status/100 == 4 })
	switch {
	case len(want)-len(rest) == len(AnyRefusal()) && len(rest) == 0:
		return "a status 4xx"
	case len(want)-len(rest) == len(AnyRefusal()):
		return fmt.Sprintf("a status 4xx, or one of %v", rest[:min(len(rest), maxStatuses)])
	case len(want) == 1:
		return fmt.Sprintf("status %d", want[0])
	case len(want) > maxStatuses:
		return fmt.Sprintf("one of the statuses %v and others", want[:maxStatuses])
	}
	return fmt.Sprintf("one of the statuses %v", want)
}

// AnyRefusal returns the statuses 4xx.
func AnyRefusal() []int {
	var statuses []int
	for status := http.StatusBadRequest; status < http.StatusInternalServerError; status++ {
		statuses = append(statuses, status)
	}
	return statuses
}

// RequestIn returns the request of the trial in another session, without credentials.
func (t *Trial) RequestIn(session *Session) Request {
	other := *t
	other.Session = session
	return other.Request()
}

// Clone returns a clone of the trial's probe.
func (t *Trial) Clone() *Probe { return t.probe.Clone() }

// Marker returns the text that the canary repeats, or "".
func (r *Request) Marker() string { return r.marker }
