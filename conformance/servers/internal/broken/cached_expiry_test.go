package broken_test

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/bench"
	"mcpentra/conformance/servers/internal/broken"
)

// TestCachedExpiryNeedsNoKey gives the check only tokens that expire soon, as a sign-in does.
func TestCachedExpiryNeedsNoKey(t *testing.T) {
	t.Parallel()
	for fault, want := range map[broken.Fault]check.Verdict{
		"":                        check.Pass,
		broken.CachesPastExpiry:   check.Fail,
		broken.KeepsTokens:        check.Fail,
		broken.AllowsSevenMinutes: check.Skip,
	} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			target := start(t, fault).Target()
			mint := target.Mint
			short := func(ctx context.Context) (string, error) {
				return mint(ctx, bench.Edits{Claims: endSoon})
			}
			target.Mint = nil
			target.Tokens = map[bench.TokenKind]func(context.Context) (string, error){
				bench.Good:       target.Tokens[bench.Good],
				bench.ShortLived: short,
			}
			result := bench.Run(t.Context(), checkOf(t, "server/token/cached-expiry"), target)[0]
			assert.Equal(t, want, result.Verdict, "%v", result.Err)
		})
	}
}

func endSoon(claims map[string]any) {
	claims["jti"] = rand.Text()
	claims["exp"] = time.Now().Add(8 * time.Second).Unix()
}
