package checks

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/inputs"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// tokenCacheChecks returns the checks of server/token about the keys of caches of verified tokens.
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
			Slow:   true,
			Run:    attack.WithTrial(tokenNoMixedUpCache),
		},
	}
}

// tokenNoMixedUpCache sends tokens like a good one, before and after the server has cached it.
func tokenNoMixedUpCache(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	good, err := unusedToken(ctx, p, trial)
	if err != nil {
		return err
	}
	requests := map[string]func(token string) bench.Request{
		"a call": func(token string) bench.Request { return attack.WithToken(token, trial.Request()) },
		"the first message": func(token string) bench.Request {
			return bench.Request{Header: bench.Bearer(token)}
		},
	}
	// Other checks are about tokens that the server accepts anyway.
	var refused []similarToken
	for _, similar := range similarTokens(good) {
		before, err := p.Send(ctx, requests["the first message"](similar.text))
		if err != nil {
			return err
		}
		if before.Status == http.StatusUnauthorized {
			refused = append(refused, similar)
		}
	}
	if err := fillCache(ctx, p, trial, good); err != nil {
		return err
	}
	return inputs.TryAll(refused, func(similar similarToken) error {
		for place, request := range requests {
			after, err := p.Send(ctx, request(similar.text))
			if err != nil {
				return err
			}
			if after.Succeeded() {
				return p.Insecure(
					"no result, as before the good token was cached: "+similar.name+" in "+place,
					"the result",
				)
			}
		}
		return nil
	})
}

// unusedToken returns a good token that the server has not seen, if the target can make one.
// Otherwise it returns the good token.
func unusedToken(ctx context.Context, p *bench.Probe, trial *bench.Trial) (string, error) {
	if err := attack.ControlMint(ctx, p, trial); err != nil {
		return p.Token(ctx, bench.Good)
	}
	return p.Mint(ctx, bench.Edits{Claims: attack.Member("jti", rand.Text())})
}

// fillCache sends a good token in each way that could have a cache of its own.
func fillCache(ctx context.Context, p *bench.Probe, trial *bench.Trial, good string) error {
	session, err := p.Open(ctx, good)
	if err != nil {
		return &check.Skipped{Reason: "after similar bad tokens the good one opens no session: " + err.Error()}
	}
	if _, err := p.Send(ctx, attack.StreamRequest(session, good)); err != nil {
		return err
	}
	for _, revision := range check.Revisions() {
		request := bench.Request{Header: bench.Bearer(good)}
		if _, err := p.WithRevision(revision).Send(ctx, request); err != nil {
			return err
		}
	}
	for range cacheUses {
		answer, err := p.Send(ctx, attack.WithToken(good, trial.RequestIn(session)))
		if err != nil {
			return err
		}
		if !answer.Succeeded() {
			return &check.Skipped{
				Reason: fmt.Sprintf("after similar bad tokens the good one is answered %d", answer.Status),
			}
		}
	}
	return nil
}

// A similarToken is a forged token that shares a part with a good one.
type similarToken struct{ name, text string }

// similarTokens returns forged tokens that share parts with a good one.
func similarTokens(good string) []similarToken {
	jwt, err := attack.ParseJWT(good)
	if err != nil {
		return similarTexts(good)
	}
	return append(similarJWTs(jwt), similarTexts(good)...)
}

// similarTexts returns texts that have a part of a token in common.
func similarTexts(good string) []similarToken {
	noise := strings.Repeat(rand.Text(), 1+len(good)/len(rand.Text()))[:len(good)]
	similar := []similarToken{
		{"another letter case", strings.ToLower(good)},
		{"another ending", attack.Tamper(good)},
		{"the last 8 bytes cut off", good[:max(0, len(good)-8)]},
		{"4 bytes more", good + "AAAA"},
	}
	header, _, _ := strings.Cut(good, ".")
	for _, n := range keyBytes {
		rest := len(good) - n
		if rest < minNoise {
			break
		}
		similar = append(similar, similarToken{fmt.Sprintf("the last %d bytes", n), noise[:rest] + good[rest:]})
		if n > len(header) || !strings.Contains(good, ".") { // other tokens may begin with the same header
			similar = append(similar, similarToken{fmt.Sprintf("the first %d bytes", n), good[:n] + noise[n:]})
		}
	}
	return similar
}

// keyBytes are lengths of the part of a token that a cache might take as its key. The rest is noise
// of at least minNoise bytes.
var keyBytes = []int{32, 64, 96, 128, 160, 200, 256, 320, 400, 512, 640}

const minNoise = 16

// similarJWTs returns JWTs that have the claims of a good one, so that a server would serve them if
// it took their signature for verified. An unknown key has signed them, or no key.
func similarJWTs(jwt *attack.JWT) []similarToken {
	key := attack.NewSigningKey(attack.Text(jwt.Header, "alg"))
	more := attack.Member("x", "x")
	same := func(map[string]any) {}
	cut := strings.LastIndexByte(jwt.Token, '.')
	signature := jwt.Token[cut:]
	unsigned := func(forged string) string { return forged[:strings.LastIndexByte(forged, '.')] }
	return []similarToken{
		{"the same header and claims", jwt.Forge(key, same, same)},
		{"the same claims", jwt.Forge(key, more, same)},
		{"the same claims and more", jwt.Forge(key, same, more)},
		{"no signature", jwt.Token[:cut+1]},
		{"the same signature over more claims", unsigned(jwt.Forge(key, same, more)) + signature},
		{"the same signature over another header", unsigned(jwt.Forge(key, more, same)) + signature},
	}
}
