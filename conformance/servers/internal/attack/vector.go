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

// Describe is what came of bytes on a connection, in words.
func Describe(said *bench.Conversation) string {
	if len(said.Answers) == 0 {
		return "no answer"
	}
	var all []string
	for _, answer := range said.Answers {
		all = append(all, fmt.Sprintf("status %d", answer.Status))
	}
	return strings.Join(all, ", then ")
}

// A Vector is one way to try a rule: a request that succeeds, changed in one thing.
type Vector struct {
	Name string
	// change makes the flaw. The request comes without credentials. Nil changes nothing.
	Change func(request *bench.Request, good string)
	// lines make the flaw in the head of an HTTP/1.1 request, as bytes that no client would write.
	Lines func(good string) []string
	// want are the statuses that conform, where they are others than the check's.
	Want []int
}

// RefusesAll is the Run of a check whose vectors all have to be refused. The first one that has an
// effect ends it; of those that are refused in the wrong manner the first is reported.
func RefusesAll(want []int, vectors ...Vector) func(ctx context.Context, p *bench.Probe) error {
	return func(ctx context.Context, p *bench.Probe) error {
		trial, err := p.Trial(ctx)
		if err != nil {
			return err
		}
		return Deny(ctx, p, trial, want, vectors...)
	}
}

func Deny(ctx context.Context, p *bench.Probe, trial *bench.Trial, want []int, vectors ...Vector) error {
	var first error
	for _, one := range vectors {
		request := trial.Request()
		if one.Change != nil {
			one.Change(&request, trial.Token)
		}
		statuses := want
		if one.Want != nil {
			statuses = one.Want
		}
		var err error
		if one.Lines != nil {
			_, err = trial.DeniedRaw(ctx, one.Name, request, p.Wire(request, one.Lines(trial.Token)...), statuses...)
		} else {
			_, err = trial.Denied(ctx, one.Name, request, statuses...)
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

// Header is a change that sets a header.
func Header(name, value string) func(*bench.Request, string) {
	return func(request *bench.Request, _ string) { request.Header.Set(name, value) }
}

// Authorization is a change that makes the credentials of a good token.
func Authorization(make func(good string) string) func(*bench.Request, string) {
	return func(request *bench.Request, good string) { request.Header.Set("Authorization", make(good)) }
}

// Statuses that several checks want.
var (
	Unauthorized = []int{http.StatusUnauthorized}
	BadOrNot     = []int{http.StatusBadRequest, http.StatusUnauthorized}
)
