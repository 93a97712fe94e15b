package attack

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"mcpentra/conformance/check"
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

// RefusesAll makes the Run of a check that wants every vector refused.
func RefusesAll(want []int, vectors ...Vector) func(ctx context.Context, p *bench.Probe) error {
	return WithTrial(func(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
		return TryVectors(ctx, p, trial, want, vectors...)
	})
}

// TryVectors wants every vector refused. The first vector with an effect ends the run. Otherwise
// the first wrong refusal is reported.
func TryVectors(ctx context.Context, p *bench.Probe, trial *bench.Trial, want []int, vectors ...Vector) error {
	var first error
	for _, vector := range vectors {
		request := trial.Request()
		if vector.Change != nil {
			vector.Change(&request, trial.Token)
		}
		statuses := want
		if vector.Want != nil {
			statuses = vector.Want
		}
		var err error
		if vector.Lines != nil {
			text := p.Wire(request, vector.Lines(trial.Token)...)
			_, err = trial.WantRefusedRaw(ctx, vector.Name, request, text, statuses...)
		} else {
			_, err = trial.WantRefused(ctx, vector.Name, request, statuses...)
		}
		var mismatch *check.Mismatch
		switch {
		case err == nil:
		case !errors.As(err, &mismatch) || mismatch.Insecure:
			return err
		case first == nil:
			first = err
		}
	}
	return first
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
