package bench_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// hangingAfter is a server that gives some answers, and then none.
type hangingAfter struct{ left atomic.Int64 }

func (h *hangingAfter) RoundTrip(r *http.Request) (*http.Response, error) {
	if h.left.Add(-1) < 0 {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	answer := httptest.NewRecorder()
	_, _ = fmt.Fprint(answer, `{"issuer":"https://as.example"}`)
	return answer.Result(), nil
}

// TestServerThatHangsIsFoundOnce wants one error for a server that stops to answer. The other
// checks do not wait for it.
func TestServerThatHangsIsFoundOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &hangingAfter{}
		server.left.Store(1)
		var checks []bench.Check
		for i := range 4 {
			checks = append(checks, bench.Check{
				Rule: check.Rule{ID: fmt.Sprintf("authorization-server/test/%d", i), Level: check.Must},
				Run: func(ctx context.Context, p *bench.Probe) error {
					_, err := p.Send(ctx, bench.Request{URL: "https://as.example/page"})
					return err
				},
			})
		}
		target := bench.Target{URL: "https://as.example", HTTPClient: &http.Client{Transport: server}}
		report, err := check.Run(t.Context(), target.Bind(checks...), check.Selection{})
		require.NoError(t, err)
		var verdicts []check.Verdict
		for _, result := range report.Results {
			verdicts = append(verdicts, result.Verdict)
		}
		assert.Equal(t, []check.Verdict{check.Pass, check.Error, check.Skip, check.Skip}, verdicts)
		assert.EqualError(t, report.Results[3].Err,
			"the server no longer answers; the first line marked \"error\" has the cause")
	})
}

// TestSlowTargetGetsMoreTime lets a target take three times as long as usual for its first answer.
func TestSlowTargetGetsMoreTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		target := bench.Target{
			URL:         "https://as.example",
			HTTPClient:  &http.Client{Transport: &hangingAfter{}},
			FirstAnswer: 30 * time.Second,
		}
		hanging := bench.Check{
			Rule: check.Rule{ID: "authorization-server/test/hanging", Level: check.Must},
			Run: func(ctx context.Context, _ *bench.Probe) error {
				<-ctx.Done()
				return nil
			},
		}
		began := time.Now()
		bound := target.Bind(hanging)[0]
		assert.Equal(t, check.Error, bound.Run(t.Context())[0].Verdict)
		assert.GreaterOrEqual(t, time.Since(began), 3*time.Minute)
	})
}
