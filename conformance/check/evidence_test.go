package check_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/evidence"
)

// TestResultKeepsFirstAndLastExchanges records twenty exchanges. The result has the controls and
// the exchanges that decide. They are described with the secrets known at the end.
func TestResultKeepsFirstAndLastExchanges(t *testing.T) {
	t.Parallel()
	secret := ""
	bound := check.Bound{
		Rule:    check.Rule{ID: "server/token/expired", Level: check.Must},
		Timeout: time.Minute,
		Try: func(ctx context.Context, _ check.Revision) error {
			for i := range 20 {
				evidence.Record(ctx, func() string { return fmt.Sprint(i, secret) })
			}
			secret = "…"
			return nil
		},
	}
	results := bound.Run(t.Context())
	require.Len(t, results, 1)
	var want []string
	for _, number := range []int{0, 1, 14, 15, 16, 17, 18, 19} {
		want = append(want, fmt.Sprint(number, "…"))
	}
	assert.Equal(t, want, results[0].Exchanges)
	assert.Equal(t, 20, results[0].Recorded)
	assert.Positive(t, results[0].Duration)
}

// TestRecordNeedsATry shows that exchanges outside a try are not kept anywhere.
func TestRecordNeedsATry(t *testing.T) {
	t.Parallel()
	evidence.Record(t.Context(), func() string {
		t.Error("nothing may describe the exchange")
		return ""
	})
}
