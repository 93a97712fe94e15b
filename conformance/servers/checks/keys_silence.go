package checks

import (
	"context"
	"fmt"
	"net/http"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// keysSilenceChecks returns the checks of server/keys about an issuer that does not answer.
func keysSilenceChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/keys/silence",
				Level:     check.Policy,
				Severity:  check.High,
				Reference: "RFC 9110 section 15.6.4",
				Sentence: "An issuer that does not answer for its keys does not block a caller forever, and " +
					"known keys stay good.",
				Covers: []string{"RS-066"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.OwnServer},
			Run:    attack.WithFixture(keysSilence),
		},
	}
}

// keysSilence sends a token with an unknown key while the issuer is silent, and then a good one.
func keysSilence(ctx context.Context, f *attack.Fixture) error {
	ended := make(chan struct{})
	defer close(ended)
	f.Keys["unknown"] = attack.NewKeyFor(f.Algorithm)
	f.ServeKeySet(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		select {
		case <-request.Context().Done():
		case <-ended:
		}
	}))
	token, err := f.SignedBy(ctx, "unknown")
	if err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, f.Probe.Patience())
	defer cancel()
	answer, err := f.Probe.Send(bounded, attack.WithToken(token, f.Trial.Request()))
	switch {
	case bounded.Err() != nil && ctx.Err() == nil:
		return f.Probe.Mismatch(
			"an answer while the issuer is silent",
			fmt.Sprintf("none within %v", f.Probe.Patience()),
		)
	case err != nil:
		return err
	case answer.Succeeded():
		return f.Probe.Insecure("a refusal of an unknown key", "the result of the request")
	}
	return f.WantGoodServed(ctx, "a known key while the issuer is silent")
}
