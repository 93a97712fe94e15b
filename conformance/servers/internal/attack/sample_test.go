package attack_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// TestSlowServersCounterIsFound gives a server one second for each ID, so the time is over before
// the sample is complete.
func TestSlowServersCounterIsFound(t *testing.T) {
	t.Parallel()
	count := 0
	for _, test := range []struct {
		name  string
		pause time.Duration
		next  func() string
		want  check.Verdict
	}{
		{"counter", time.Second, func() string { count++; return fmt.Sprintf("task-%06d", count) }, check.Fail},
		{"random", time.Second, rand.Text, check.Skip},
		{"too few", 5 * time.Second, func() string { count++; return fmt.Sprint(count) }, check.Skip},
		{"in time", 0, rand.Text, check.Pass},
	} {
		synctest.Test(t, func(t *testing.T) {
			sampled := bench.Check{
				Rule: check.Rule{Level: check.Must},
				Run: func(_ context.Context, p *bench.Probe) error {
					return attack.WantUnpredictable(p, "task ID", func() (string, error) {
						time.Sleep(test.pause)
						return test.next(), nil
					})
				},
			}
			result := bench.RunAt(t.Context(), sampled, bench.Target{}, check.R20251125)
			assert.Equal(t, test.want, result.Verdict, "%s: %v", test.name, result.Err)
		})
	}
}
