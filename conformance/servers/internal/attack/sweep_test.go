package attack_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// refusingLate is a server that refuses every request, each after two seconds.
type refusingLate struct{}

func (refusingLate) RoundTrip(r *http.Request) (*http.Response, error) {
	select {
	case <-r.Context().Done():
		return nil, r.Context().Err()
	case <-time.After(2 * time.Second):
	}
	answer := httptest.NewRecorder()
	answer.WriteHeader(http.StatusUnauthorized)
	return answer.Result(), nil
}

// TestSweepTakesLongerForSlowTarget sends a dozen requests to a slow server. The usual time is too
// short for them.
func TestSweepTakesLongerForSlowTarget(t *testing.T) {
	t.Parallel()
	for firstAnswer, want := range map[time.Duration]check.Verdict{0: check.Skip, 30 * time.Second: check.Pass} {
		synctest.Test(t, func(t *testing.T) {
			var claims []attack.Claim
			for i := range 12 {
				claims = append(claims, attack.HeaderClaim("X-User", fmt.Sprint(i)))
			}
			sweeping := bench.Check{
				Rule: check.Rule{ID: "server/test/sweep", Level: check.Must},
				Run: func(ctx context.Context, p *bench.Probe) error {
					trial, err := p.BareTrial(ctx)
					if err != nil {
						return err
					}
					bases := []attack.Base{{Name: "the first message", Make: p.First}}
					return attack.Sweep{Claims: claims, Bases: bases}.Run(ctx, p, trial)
				},
			}
			target := bench.Target{
				URL:         "http://server.example/mcp",
				HTTPClient:  &http.Client{Transport: refusingLate{}},
				FirstAnswer: firstAnswer,
			}
			result := bench.RunAt(t.Context(), sweeping, target, check.R20251125)
			assert.Equal(t, want, result.Verdict, "%v: %v", firstAnswer, result.Err)
		})
	}
}
