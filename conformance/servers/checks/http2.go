package checks

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// http2Checks are checks of server/http2: what differs where requests come in frames (RFC 9113). A
// server that speaks HTTP/1.1 only is not asked.
func http2Checks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/http2/two-headers",
				Level:     check.Policy,
				Severity:  check.High,
				Reference: "RFC 9110 section 5.3; RFC 9113 section 8.2",
				Sentence:  "Over HTTP/2 two Authorization fields are refused too, whichever of them is good.",
				Covers:    []string{"RS-005"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run: overHTTP2(func(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
				two := func(first, second string) func(*bench.Request, string) {
					return func(r *bench.Request, good string) {
						fields := map[string]string{
							"good":  "Bearer " + good,
							"bad":   "Bearer " + bad,
							"Basic": "Basic eDp5",
						}
						r.Header["Authorization"] = []string{fields[first], fields[second]}
					}
				}
				return attack.Deny(
					ctx,
					p,
					trial,
					attack.BadOrNot,
					attack.Vector{Name: "good, then bad", Change: two("good", "bad")},
					attack.Vector{Name: "bad, then good", Change: two("bad", "good")},
					attack.Vector{Name: "good, then Basic", Change: two("good", "Basic")},
					attack.Vector{Name: "good twice", Change: two("good", "good")},
				)
			}),
		},
		{
			Rule: check.Rule{
				ID:         "server/http2/body",
				Level:      check.Must,
				Severity:   check.High,
				Disruptive: true,
				Reference:  "RFC 9110 section 15.5.14; RFC 9113 section 8.1",
				Sentence:   "Long, deep and compressed bodies in frames are refused or borne, and the server goes on.",
				Covers:     []string{"RS-071"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    overHTTP2(longBodiesInFrames),
		},
	}
}

// overHTTP2 has a trial over HTTP/2, for servers that speak it.
func overHTTP2(
	run func(ctx context.Context, p *bench.Probe, trial *bench.Trial) error,
) func(ctx context.Context, p *bench.Probe) error {
	return func(ctx context.Context, p *bench.Probe) error {
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

func longBodiesInFrames(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	for name, body := range hugeBodies() {
		for _, unsized := range []bool{false, true} {
			request := trial.Request()
			request.Body = []byte(body)
			request.Unsized = unsized
			request.Header.Set("Authorization", "Bearer "+trial.Token)
			if unsized {
				name += ", of no announced length"
			}
			if _, err := borne(ctx, p, name, request); err != nil {
				return err
			}
		}
	}
	request := attack.Bombed(trial)
	switch answer, err := borne(ctx, p, attack.BombName, request); {
	case err != nil:
		return err
	case trial.Ran(request), answer != nil && answer.Succeeded():
		return p.Insecure("a refusal: "+attack.BombName, "a result")
	}
	return attack.Afterwards(ctx, p, trial)
}

// borne wants a request answered, by whatever but a status 5xx, or its stream reset, which is no
// answer.
func borne(ctx context.Context, p *bench.Probe, name string, request bench.Request) (*bench.Answer, error) {
	answer, err := p.Send(ctx, request)
	var cannot *check.CannotJudge
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
