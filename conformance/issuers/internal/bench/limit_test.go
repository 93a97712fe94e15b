package bench_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// TestLimitIsReportedOnce wants one error with level MUST for a server that limits registrations.
func TestLimitIsReportedOnce(t *testing.T) {
	t.Parallel()
	var origin string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/register" {
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		_, _ = fmt.Fprintf(w, `{"issuer":%q,"registration_endpoint":%q}`, origin, origin+"/register")
	}))
	t.Cleanup(server.Close)
	origin = server.URL
	var checks []bench.Check
	for i, level := range []check.Level{check.Should, check.Must, check.Must, check.Should} {
		checks = append(checks, bench.Check{
			Rule: check.Rule{ID: fmt.Sprintf("authorization-server/test/%d", i), Level: level},
			Run: func(ctx context.Context, p *bench.Probe) error {
				_, err := p.Public(ctx)
				return err
			},
		})
	}
	report, err := check.Run(t.Context(), bench.Target{URL: origin}.Bind(checks...), check.Selection{})
	require.NoError(t, err)
	var verdicts []check.Verdict
	for _, result := range report.Results {
		verdicts = append(verdicts, result.Verdict)
	}
	assert.Equal(t, []check.Verdict{check.Error, check.Error, check.Skip, check.Skip}, verdicts)
	assert.EqualError(t, report.Results[1].Err,
		"cannot judge: the control failed: a registration is answered with status 429: "+
			"the server limits how often a network may ask; raise its limit for the run")
}
