package attack

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/inputs"
	"mcpentra/conformance/servers/internal/bench"
)

// Statuses that several checks accept.
var (
	Unauthorized = []int{http.StatusUnauthorized}
	// Malformed are the answers to credentials that a server may also call a bad request.
	Malformed = []int{http.StatusBadRequest, http.StatusUnauthorized}
	// UnknownKey are the answers to a token whose key is unavailable.
	UnknownKey = []int{http.StatusServiceUnavailable, http.StatusUnauthorized}
)

// A Vector is one way to break a rule: a request that would succeed, with one flaw.
type Vector struct {
	Name string
	// Change adds the flaw. The request comes without credentials. Nil changes nothing.
	Change func(request *bench.Request, good string)
	// Lines are added to the head of an HTTP/1.1 request as they are, although no HTTP client would
	// send them.
	Lines func(good string) []string
	// Want are the conforming statuses. Nil means the check's.
	Want []int
	// Level replaces the level of the rule, if a server that takes this vector breaks a weaker
	// rule.
	Level check.Level
	// Severity replaces the severity of the rule.
	Severity check.Severity
}

// WithTrial makes the Run of a check that starts with a successful trial.
func WithTrial(
	run func(ctx context.Context, p *bench.Probe, trial *bench.Trial) error,
) func(ctx context.Context, p *bench.Probe) error {
	return func(ctx context.Context, p *bench.Probe) error {
		trial, err := p.Trial(ctx)
		if err != nil {
			return err
		}
		return run(ctx, p, trial)
	}
}

// WithAnyTrial is WithTrial for a check whose attacks need no token. Without a good token it starts
// with the refusal of a request that has none.
func WithAnyTrial(
	run func(ctx context.Context, p *bench.Probe, trial *bench.Trial) error,
) func(ctx context.Context, p *bench.Probe) error {
	withTrial := WithTrial(run)
	return func(ctx context.Context, p *bench.Probe) error {
		if p.HasGoodToken(ctx) {
			return withTrial(ctx, p)
		}
		trial, err := p.BareTrial(ctx)
		if err != nil {
			return err
		}
		return run(ctx, p, trial)
	}
}

// RefusesAll makes the Run of a check that wants every vector refused.
func RefusesAll(want []int, vectors ...Vector) func(ctx context.Context, p *bench.Probe) error {
	return WithTrial(func(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
		return TryVectors(ctx, p, trial, want, vectors...)
	})
}

// TryVectors wants every vector refused. It reports every vector that is not.
func TryVectors(ctx context.Context, p *bench.Probe, trial *bench.Trial, want []int, vectors ...Vector) error {
	return inputs.TryAll(vectors, func(vector Vector) error {
		return inputs.Graded(vector.try(ctx, p, trial, want), vector.Level, vector.Severity)
	})
}

// try sends one vector, and wants it refused.
func (v *Vector) try(ctx context.Context, p *bench.Probe, trial *bench.Trial, want []int) error {
	request := trial.Request()
	if v.Change != nil {
		v.Change(&request, trial.Token)
	}
	if v.Want != nil {
		want = v.Want
	}
	if v.Lines == nil {
		_, err := trial.WantRefused(ctx, v.Name, request, want...)
		return err
	}
	text := p.Wire(request, v.Lines(trial.Token)...)
	_, err := trial.WantRefusedRaw(ctx, v.Name, request, text, want...)
	return err
}

// Header returns a change that sets a header.
func Header(name, value string) func(*bench.Request, string) {
	return func(request *bench.Request, _ string) { request.Header.Set(name, value) }
}

// Authorization returns a change that makes the Authorization header from a good token.
func Authorization(make func(good string) string) func(*bench.Request, string) {
	return func(request *bench.Request, good string) { request.Header.Set("Authorization", make(good)) }
}

// Describe lists the statuses of a conversation in words.
func Describe(conversation *bench.Conversation) string {
	if len(conversation.Answers) == 0 {
		return "no answer"
	}
	var statuses []string
	for _, answer := range conversation.Answers {
		statuses = append(statuses, fmt.Sprintf("status %d", answer.Status))
	}
	return strings.Join(statuses, ", then ")
}
