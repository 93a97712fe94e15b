package checks

import (
	"context"
	"errors"
	"fmt"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// http2Checks returns the checks of server/http2: rules that differ when requests come in frames
// (RFC 9113). They do not apply to a server that speaks only HTTP/1.1.
func http2Checks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/http2/two-headers",
				Level:     check.Policy,
				Severity:  check.High,
				Reference: "RFC 9110 section 5.3; RFC 9113 section 8.2",
				Sentence:  "Over HTTP/2 too, a request with two Authorization fields is refused.",
				Covers:    []string{"RS-005"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    overHTTP2(http2TwoHeaders),
		},
		{
			Rule: check.Rule{
				ID:         "server/http2/body",
				Level:      check.Policy,
				Severity:   check.High,
				Disruptive: true,
				Reference:  "RFC 9110 section 15.5.14; RFC 9113 section 8.1",
				Sentence: "Over HTTP/2 too, the server refuses or survives long, deeply nested and " +
					"compressed bodies.",
				Covers: []string{"RS-071"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    overHTTP2(http2Body),
		},
	}
}

// http2TwoHeaders tries server/http2/two-headers.
func http2TwoHeaders(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	two := func(first, second string) func(*bench.Request, string) {
		return func(r *bench.Request, good string) {
			fields := map[string]string{
				"good":  "Bearer " + good,
				"bad":   "Bearer " + attack.MalformedJWT,
				"Basic": "Basic eDp5",
			}
			r.Header["Authorization"] = []string{fields[first], fields[second]}
		}
	}
	return attack.TryVectors(ctx, p, trial, attack.Malformed,
		attack.Vector{Name: "good, then bad", Change: two("good", "bad")},
		attack.Vector{Name: "bad, then good", Change: two("bad", "good")},
		attack.Vector{Name: "good, then Basic", Change: two("good", "Basic")},
		attack.Vector{Name: "good twice", Change: two("good", "good")},
	)
}

// http2Body sends bodies with a Content-Length and without.
func http2Body(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	for _, body := range attack.HugeBodies() {
		request := attack.WithToken(trial.Token, trial.Request())
		request.Body = []byte(body.Text)
		if _, err := survives(ctx, p, body.Name, request); err != nil {
			return err
		}
		request.Unsized = true
		if _, err := survives(ctx, p, body.Name+", without a Content-Length", request); err != nil {
			return err
		}
	}
	request := attack.GzipBomb(trial)
	answer, err := survives(ctx, p, attack.GzipBombName, request)
	switch {
	case err != nil:
		return err
	case trial.Ran(request), answer != nil && answer.Succeeded():
		return p.Insecure("a refusal: "+attack.GzipBombName, "a result")
	}
	return attack.StillServes(ctx, p, trial)
}

// survives wants a request answered with anything except a status 5xx, or its stream reset. The
// answer is nil after a reset.
func survives(ctx context.Context, p *bench.Probe, name string, request bench.Request) (*bench.Answer, error) {
	answer, err := p.Send(ctx, request)
	var cannot *check.CannotJudge
	switch {
	case errors.As(err, &cannot) && ctx.Err() == nil:
		return nil, nil
	case err != nil:
		return nil, err
	case attack.IsBroken(answer):
		return nil, p.Mismatch("a refusal or the result: "+name, fmt.Sprintf("status %d", answer.Status))
	}
	return answer, nil
}

// overHTTP2 makes the Run of a check that needs a trial over HTTP/2.
func overHTTP2(
	run func(ctx context.Context, p *bench.Probe, trial *bench.Trial) error,
) func(ctx context.Context, p *bench.Probe) error {
	return func(ctx context.Context, p *bench.Probe) error {
		if _, err := p.Control(ctx); err != nil {
			return err // an unreachable target is an error, not a verdict
		}
		over, closeIt, err := p.HTTP2(ctx)
		if err != nil {
			return err
		}
		defer closeIt()
		return attack.WithTrial(run)(ctx, over)
	}
}
