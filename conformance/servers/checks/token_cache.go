package checks

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// tokenCacheChecks returns the checks of server/token about caches of verified tokens.
func tokenCacheChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/token/no-mixed-up-cache",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "OAuth 2.1 section 5.2; RFC 8725 section 3.2",
				Sentence:  "A good token in the cache does not make a similar token good.",
				Covers:    []string{"RS-075"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run:    attack.WithTrial(tokenNoMixedUpCache),
		},
	}
}

// tokenNoMixedUpCache sends tokens like a good one, before and after the server has cached it.
func tokenNoMixedUpCache(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	if err := attack.ControlMint(ctx, p, trial); err != nil {
		return err
	}
	good, err := p.Mint(ctx, bench.Edits{Claims: attack.Member("jti", rand.Text())})
	if err != nil {
		return err
	}
	other, err := p.Mint(ctx, bench.Edits{Claims: attack.Member("aud", "https://other.example/mcp")})
	if err != nil {
		return err
	}
	similar := similarTokens(good, other)
	if similar == nil {
		return &check.NotApplicable{Reason: "the tokens are not JWTs"}
	}
	status := func(token string) (int, error) {
		answer, err := p.Send(ctx, attack.WithToken(token, trial.Request()))
		if err != nil {
			return 0, err
		}
		return answer.Status, nil
	}
	// Other checks are about tokens that the server accepts anyway.
	var refused []similarToken
	for _, token := range similar {
		before, err := status(token.text)
		if err != nil {
			return err
		}
		if before == http.StatusUnauthorized {
			refused = append(refused, token)
		}
	}
	for range 8 { // often enough for a cache
		if _, err := status(good); err != nil {
			return err
		}
	}
	for _, token := range refused {
		after, err := status(token.text)
		if err != nil {
			return err
		}
		if after != http.StatusUnauthorized {
			return p.Insecure(
				"status 401 as before the good token was cached: "+token.name,
				fmt.Sprintf("status %d", after),
			)
		}
	}
	return nil
}

type similarToken struct{ name, text string }

// similarTokens returns tokens that share parts with a good one, or nil for opaque tokens.
func similarTokens(good, other string) []similarToken {
	cut := strings.LastIndexByte(good, '.')
	otherCut := strings.LastIndexByte(other, '.')
	if cut < 0 || otherCut < 0 {
		return nil
	}
	return []similarToken{
		{"another signature", attack.Tamper(good)},
		{"the signature of another token", good[:cut] + other[otherCut:]},
		{"no signature", good[:cut+1]},
		{"the signature cut short", good[:len(good)-8]},
		{"the signature and more", good + "AAAA"},
		{"another token with the good signature", other[:otherCut] + good[cut:]},
	}
}
