package check_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/check"
)

// TestRunTriesChecksAtOnce wants two checks to meet, which they can do only if both run at once.
func TestRunTriesChecksAtOnce(t *testing.T) {
	t.Parallel()
	var met [2]chan struct{}
	for i := range met {
		met[i] = make(chan struct{})
	}
	var checks []check.Bound
	for i := range met {
		checks = append(checks, check.Bound{
			Rule:    check.Rule{ID: fmt.Sprintf("server/%d", i), Level: check.Must},
			Timeout: time.Minute,
			Try: func(ctx context.Context, _ check.Revision) error {
				close(met[i])
				select {
				case <-met[1-i]:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			},
		})
	}
	report, err := check.Run(t.Context(), checks, check.Selection{Parallel: 2})
	require.NoError(t, err)
	for i, result := range report.Results {
		assert.Equal(t, check.Pass, result.Verdict, "%v", result.Err)
		assert.Equal(t, fmt.Sprintf("server/%d", i), result.Name())
	}
}

func TestRunKeepsLimit(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name       string
		disruptive bool
		alone      bool
		parallel   int
		want       int32
	}{
		{"no number", false, false, 0, 1},
		{"three at once", false, false, 3, 3},
		{"disruptive checks", true, false, 3, 1},
		{"checks that run alone", false, true, 3, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var running, most atomic.Int32
			var checks []check.Bound
			for i := range 50 {
				rule := check.Rule{ID: fmt.Sprintf("server/%02d", i), Level: check.Must, Disruptive: test.disruptive}
				checks = append(checks, check.Bound{
					Rule:    rule,
					Alone:   test.alone,
					Timeout: time.Minute,
					Try: func(context.Context, check.Revision) error {
						now := running.Add(1)
						defer running.Add(-1)
						for before := most.Load(); now > before; before = most.Load() {
							most.CompareAndSwap(before, now)
						}
						return nil
					},
				})
			}
			var shown []string
			report, err := check.Run(t.Context(), checks, check.Selection{
				Parallel: test.parallel,
				Progress: func(result check.Result) { shown = append(shown, result.Name()) },
			})
			require.NoError(t, err)
			assert.LessOrEqual(t, most.Load(), test.want)
			require.Len(t, report.Results, 50)
			for i, result := range report.Results {
				assert.Equal(t, fmt.Sprintf("server/%02d", i), result.Name())
				assert.Equal(t, result.Name(), shown[i])
			}
		})
	}
}

func TestDisruptiveChecksRunLast(t *testing.T) {
	t.Parallel()
	var order []string
	bound := func(id string, disruptive bool) check.Bound {
		return check.Bound{
			Rule:    check.Rule{ID: id, Level: check.Must, Disruptive: disruptive},
			Timeout: time.Minute,
			Try: func(context.Context, check.Revision) error {
				order = append(order, id)
				return nil
			},
		}
	}
	checks := []check.Bound{bound("server/flood", true), bound("server/quiet", false)}
	_, err := check.Run(t.Context(), checks, check.Selection{})
	require.NoError(t, err)
	assert.Equal(t, []string{"server/quiet", "server/flood"}, order)
}

// TestSlowChecksBeginFirst wants slow checks before others, and the results in the order of the
// checks.
func TestSlowChecksBeginFirst(t *testing.T) {
	t.Parallel()
	var order []string
	bound := func(id string, slow bool) check.Bound {
		return check.Bound{
			Rule:    check.Rule{ID: id, Level: check.Must},
			Slow:    slow,
			Timeout: time.Minute,
			Try: func(context.Context, check.Revision) error {
				order = append(order, id)
				return nil
			},
		}
	}
	checks := []check.Bound{bound("server/quick", false), bound("server/slow", true)}
	report, err := check.Run(t.Context(), checks, check.Selection{})
	require.NoError(t, err)
	assert.Equal(t, []string{"server/slow", "server/quick"}, order)
	assert.Equal(t, "server/quick", report.Results[0].Name())
}

// TestInterruptedRunKeepsCompletedChecks ends a run when its second check has a verdict, and the
// first has none.
func TestInterruptedRunKeepsCompletedChecks(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	bound := func(id string, try func(context.Context) error) check.Bound {
		return check.Bound{
			Rule:    check.Rule{ID: id, Level: check.Must},
			Timeout: time.Minute,
			Try:     func(ctx context.Context, _ check.Revision) error { return try(ctx) },
		}
	}
	checks := []check.Bound{
		bound("server/slow", func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}),
		bound("server/quick", func(context.Context) error { return nil }),
		bound("server/third", func(ctx context.Context) error {
			<-ctx.Done()
			return nil
		}),
	}
	report, err := check.Run(ctx, checks, check.Selection{
		Parallel: 2,
		Ended:    func(int, int) { cancel() },
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, report.Results, 1)
	assert.Equal(t, "server/quick", report.Results[0].Name())
}
