package checks

import (
	"context"
	"errors"
	"net/http"

	"mcpentra/conformance/engine"
)

// A vector is one way to try a rule: a request that succeeds, changed in one thing.
type vector struct {
	name string
	// change makes the flaw. The request comes without credentials. Nil changes nothing.
	change func(request *engine.Request, good string)
	// lines make the flaw in the head of an HTTP/1.1 request, as bytes that no client would write.
	lines func(good string) []string
	// want are the statuses that conform, where they are others than the check's.
	want []int
}

// denied is the Run of a check whose vectors all have to be refused. The first one that has an effect ends it; of those
// that are refused in the wrong manner the first is reported.
func denied(want []int, vectors ...vector) func(ctx context.Context, p *engine.Probe) error {
	return func(ctx context.Context, p *engine.Probe) error {
		trial, err := p.Trial(ctx)
		if err != nil {
			return err
		}
		return deny(ctx, p, trial, want, vectors...)
	}
}

func deny(ctx context.Context, p *engine.Probe, trial *engine.Trial, want []int, vectors ...vector) error {
	var first error
	for _, one := range vectors {
		request := trial.Request()
		if one.change != nil {
			one.change(&request, trial.Token)
		}
		statuses := want
		if one.want != nil {
			statuses = one.want
		}
		var err error
		if one.lines != nil {
			_, err = trial.DeniedRaw(ctx, one.name, request, p.Wire(request, one.lines(trial.Token)...), statuses...)
		} else {
			_, err = trial.Denied(ctx, one.name, request, statuses...)
		}
		var mismatch *engine.Mismatch
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

// header is a change that sets a header.
func header(name, value string) func(*engine.Request, string) {
	return func(request *engine.Request, _ string) { request.Header.Set(name, value) }
}

// authorization is a change that makes the credentials of a good token.
func authorization(make func(good string) string) func(*engine.Request, string) {
	return func(request *engine.Request, good string) { request.Header.Set("Authorization", make(good)) }
}

// Statuses that several checks want.
var (
	unauthorized = []int{http.StatusUnauthorized}
	badOrNot     = []int{http.StatusBadRequest, http.StatusUnauthorized}
)
