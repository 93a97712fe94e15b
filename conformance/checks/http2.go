package checks

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"mcpentra/conformance/engine"
)

// http2: what differs where requests come in frames (RFC 9113). A server that speaks HTTP/1.1 only is not asked.
func http2() []engine.Check {
	good := []engine.TokenKind{engine.Good}
	return []engine.Check{
		{
			ID: "server/http2/two-headers", Role: engine.Server, Level: engine.Policy, Severity: engine.High, Needs: good, Covers: []string{"RS-005"},
			Reference: "RFC 9110 section 5.3; RFC 9113 section 8.2",
			Sentence:  "Over HTTP/2 two Authorization fields are refused too, whichever of them is good.",
			Run: overHTTP2(func(ctx context.Context, p *engine.Probe, trial *engine.Trial) error {
				two := func(first, second string) func(*engine.Request, string) {
					return func(r *engine.Request, good string) {
						fields := map[string]string{"good": "Bearer " + good, "bad": "Bearer " + bad, "Basic": "Basic eDp5"}
						r.Header["Authorization"] = []string{fields[first], fields[second]}
					}
				}
				return deny(ctx, p, trial, badOrNot,
					vector{name: "good, then bad", change: two("good", "bad")}, vector{name: "bad, then good", change: two("bad", "good")},
					vector{name: "good, then Basic", change: two("good", "Basic")}, vector{name: "good twice", change: two("good", "good")},
				)
			}),
		},
		{
			ID: "server/http2/body", Role: engine.Server, Level: engine.Must, Severity: engine.High, Needs: good, Disruptive: true, Covers: []string{"RS-071"},
			Reference: "RFC 9110 section 15.5.14; RFC 9113 section 8.1",
			Sentence:  "Long, deep and compressed bodies in frames are refused or borne, and the server goes on.",
			Run:       overHTTP2(longBodiesInFrames),
		},
	}
}

// overHTTP2 has a trial over HTTP/2, for servers that speak it.
func overHTTP2(run func(ctx context.Context, p *engine.Probe, trial *engine.Trial) error) func(ctx context.Context, p *engine.Probe) error {
	return func(ctx context.Context, p *engine.Probe) error {
		if _, err := p.Control(ctx); err != nil {
			return err // of a server that is away nothing is said
		}
		over, closeIt, err := p.HTTP2(ctx)
		if err != nil {
			return err
		}
		defer closeIt()
		trial, err := over.Trial(ctx)
		if err != nil {
			return err
		}
		return run(ctx, over, trial)
	}
}

func longBodiesInFrames(ctx context.Context, p *engine.Probe, trial *engine.Trial) error {
	for name, body := range hugeBodies() {
		for _, unsized := range []bool{false, true} {
			request := trial.Request()
			request.Body, request.Unsized = []byte(body), unsized
			request.Header.Set("Authorization", "Bearer "+trial.Token)
			if unsized {
				name += ", of no announced length"
			}
			if _, err := borne(ctx, p, name, request); err != nil {
				return err
			}
		}
	}
	request := bombed(trial)
	switch answer, err := borne(ctx, p, bombName, request); {
	case err != nil:
		return err
	case trial.Ran(request), answer != nil && answer.Succeeded():
		return p.Insecure("a refusal: "+bombName, "a result")
	}
	return afterwards(ctx, p, trial)
}

// borne wants a request answered, by whatever but a status 5xx, or its stream reset, which is no answer.
func borne(ctx context.Context, p *engine.Probe, name string, request engine.Request) (*engine.Answer, error) {
	answer, err := p.Send(ctx, request)
	var cannot *engine.CannotJudge
	switch {
	case errors.As(err, &cannot) && ctx.Err() == nil:
		return nil, nil
	case err != nil:
		return nil, err
	case answer.Status >= http.StatusInternalServerError && answer.Status != http.StatusServiceUnavailable:
		return nil, p.Mismatch("a refusal or the result: "+name, fmt.Sprintf("status %d", answer.Status))
	}
	return answer, nil
}
