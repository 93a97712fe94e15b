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

// tokenCacheChecks are checks of server/token.
func tokenCacheChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/token/no-mixed-up-cache",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "OAuth 2.1 section 5.2; RFC 8725 section 3.2",
				Sentence:  "That a token was good before makes no other token good that looks like it.",
				Covers:    []string{"RS-075"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run:    tokenNoMixedUpCache,
		},
	}
}

// tokenNoMixedUpCache tries server/token/no-mixed-up-cache.
func tokenNoMixedUpCache(ctx context.Context, p *bench.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	if err := attack.MintIsGood(ctx, p, trial); err != nil {
		return err
	}
	fresh, err := p.Mint(ctx, bench.Edits{Claims: func(c map[string]any) { c["jti"] = rand.Text() }})
	if err != nil {
		return err
	}
	another, err := p.Mint(ctx, bench.Edits{Claims: func(c map[string]any) { c["aud"] = "https://other.example/mcp" }})
	if err != nil {
		return err
	}
	cut := strings.LastIndexByte(fresh, '.')
	otherCut := strings.LastIndexByte(another, '.')
	if cut < 0 || otherCut < 0 {
		return &check.NotApplicable{Reason: "the tokens are no JWTs"}
	}
	tampered := tamper(fresh)
	alike := map[string]string{
		"another signature":                tampered,
		"the signature of another token":   fresh[:cut] + another[otherCut:],
		"no signature":                     fresh[:cut+1],
		"the signature cut short":          fresh[:len(fresh)-8],
		"the signature and more":           fresh + "AAAA",
		"the payload under another's head": another[:otherCut] + fresh[cut:],
	}
	send := func(token string) (*bench.Answer, error) {
		request := trial.Request()
		request.Header.Set("Authorization", "Bearer "+token)
		return p.Send(ctx, request)
	}
	// Those that are good in any case are another check's affair.
	for name, token := range alike {
		answer, err := send(token)
		if err != nil {
			return err
		}
		if answer.Status != http.StatusUnauthorized {
			delete(alike, name)
		}
	}
	for range 8 { // enough to be remembered
		if _, err := send(fresh); err != nil {
			return err
		}
	}
	for name, token := range alike {
		answer, err := send(token)
		if err != nil {
			return err
		}
		if answer.Status != http.StatusUnauthorized {
			return p.Insecure(
				"status 401 as before the good token came: "+name,
				fmt.Sprintf("status %d", answer.Status),
			)
		}
	}
	return nil
}
