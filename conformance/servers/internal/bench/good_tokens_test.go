package bench_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/bench"
)

// TestExpiredTokenGivesNoVerdict lets a good token expire during a check. If the server answers 401
// then, it may be right.
func TestExpiredTokenGivesNoVerdict(t *testing.T) {
	t.Parallel()
	const took = 40 * time.Second
	mismatch := func(got ...string) *check.Mismatch {
		first := &check.Mismatch{Want: "a result", Got: got[0]}
		for _, text := range got[1:] {
			first.Others = append(first.Others, &check.Mismatch{Want: "a result", Got: text})
		}
		return first
	}
	insecure := &check.Mismatch{Want: "a refusal", Got: "the tool ran, and status 401", Insecure: true}
	for name, test := range map[string]struct {
		life time.Duration // of the token, or 0 for an opaque one
		kind bench.TokenKind
		err  error
		want check.Verdict
	}{
		"it expired":               {30 * time.Second, bench.Good, mismatch("status 401"), check.Error},
		"it expired, of another":   {30 * time.Second, bench.OtherUser, mismatch("status 401"), check.Error},
		"it expired, twice":        {30 * time.Second, bench.Good, mismatch("status 401", "401, not 200"), check.Error},
		"it is still good":         {50 * time.Second, bench.Good, mismatch("status 401"), check.Fail},
		"it had expired before":    {-time.Second, bench.Good, mismatch("status 401"), check.Fail},
		"it is opaque":             {0, bench.Good, mismatch("status 401"), check.Fail},
		"it was not meant to last": {30 * time.Second, bench.ShortLived, mismatch("status 401"), check.Fail},
		"another thing went wrong": {30 * time.Second, bench.Good, mismatch("status 401", "status 500"), check.Fail},
		"the tool ran":             {30 * time.Second, bench.Good, insecure, check.Fail},
		"nothing went wrong":       {30 * time.Second, bench.Good, nil, check.Pass},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				token := "opaque"
				if test.life != 0 {
					claims := fmt.Sprintf(`{"exp":%d}`, time.Now().Add(test.life).Unix())
					token = "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".AAAA"
				}
				target := bench.Target{Tokens: tokens()}
				target.Tokens[test.kind] = func(context.Context) (string, error) { return token, nil }
				long := must(func(ctx context.Context, p *bench.Probe) error {
					_, err := p.Clone().Token(ctx, test.kind)
					assert.NoError(t, err)
					time.Sleep(took)
					return test.err
				})
				result := bench.RunAt(t.Context(), long, target, check.R20251125)
				assert.Equal(t, test.want, result.Verdict, "%v", result.Err)
				if test.want == check.Error {
					assert.ErrorContains(t, result.Err, "the good token expired during the check")
				}
			})
		})
	}
}
