package broken_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/bench"
	"mcpentra/conformance/servers/internal/broken"
)

// TestRecentlyExpiredTokenProvesNothing gives a server that ignores exp tokens that expired some
// time ago. The server may call a few minutes its leeway.
func TestRecentlyExpiredTokenProvesNothing(t *testing.T) {
	t.Parallel()
	target := start(t, broken.AcceptsExpired).Target()
	for age, want := range map[time.Duration]check.Verdict{
		5 * time.Second: check.Skip,
		9 * time.Minute: check.Skip,
		time.Hour:       check.Fail,
	} {
		given := target
		given.Tokens = map[bench.TokenKind]func(context.Context) (string, error){
			bench.Good: target.Tokens[bench.Good],
			bench.Expired: func(ctx context.Context) (string, error) {
				return target.Mint(ctx, bench.Edits{Claims: func(claims map[string]any) {
					claims["exp"] = time.Now().Add(-age).Unix()
				}})
			},
		}
		result := bench.Run(t.Context(), checkOf(t, "server/token/expired"), given)[0]
		assert.Equal(t, want, result.Verdict, "%v: %v", age, result.Err)
	}
}
