package broken_test

import (
	"errors"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/checks"
	"mcpentra/conformance/servers/internal/bench"
	"mcpentra/conformance/servers/internal/broken"
)

// isFullMatrix says that each server is tried with every check, as make broken does. Otherwise it
// is tried only with the checks that should catch it.
func isFullMatrix() bool { return os.Getenv("BROKEN_MATRIX") == "full" }

// start starts a server with faults.
func start(t *testing.T, faults ...broken.Fault) *broken.Server {
	t.Helper()
	server := broken.Start(faults...)
	t.Cleanup(server.Close)
	return server
}

// checkOf returns the check with an ID.
func checkOf(t *testing.T, id string) bench.Check {
	t.Helper()
	all := checks.All()
	i := slices.IndexFunc(all, func(current bench.Check) bool { return current.ID == id })
	require.GreaterOrEqual(t, i, 0, id)
	return all[i]
}

// isSlow reports whether a check waits for a clock. It is tried only with the servers that it
// should catch.
func isSlow(current bench.Check) bool {
	waits := []string{"server/stream/ends-with-token", "server/token/cached-expiry"}
	return current.Disruptive || slices.Contains(waits, current.ID)
}

// alone lets a check run while no other one does.
var alone sync.RWMutex

// runAll runs checks, several at once, and returns the worst result of each by ID. The checks in
// red must find something, and the others must have a result.
func runAll(t *testing.T, target bench.Target, selected []bench.Check, red ...string) map[string]check.Result {
	t.Helper()
	return runUntil(t, target, selected, func(current bench.Check, result check.Result) bool {
		isMissed := slices.Contains(red, current.ID) && (result.Verdict == check.Pass || result.Verdict == check.Skip)
		return !isMissed && !isStarved(result)
	})
}

// runUntil runs checks, several at once, and returns the worst result of each by ID. A check whose
// result is wrong runs once more while no other test of this package runs checks, because a busy
// machine may have starved it.
func runUntil(
	t *testing.T, target bench.Target, selected []bench.Check, isRight func(bench.Check, check.Result) bool,
) map[string]check.Result {
	t.Helper()
	alone.RLock()
	worst := runAtOnce(t, target, selected)
	alone.RUnlock()
	wrong := slices.DeleteFunc(slices.Clone(selected), func(current bench.Check) bool {
		return isRight(current, worst[current.ID])
	})
	if len(wrong) == 0 {
		return worst
	}
	alone.Lock()
	defer alone.Unlock()
	for _, current := range wrong {
		worst[current.ID] = runAtOnce(t, target, []bench.Check{current})[current.ID]
	}
	return worst
}

// isStarved reports whether a check had no result, perhaps because the machine was busy.
func isStarved(result check.Result) bool {
	var skipped *check.Skipped
	return result.Verdict == check.Error || errors.As(result.Err, &skipped) && skipped.Of == ""
}

func runAtOnce(t *testing.T, target bench.Target, selected []bench.Check) map[string]check.Result {
	t.Helper()
	var mu sync.Mutex
	worst := map[string]check.Result{}
	var group errgroup.Group
	group.SetLimit(8)
	for _, current := range target.Bind(selected...) {
		group.Go(func() error {
			for _, result := range current.Run(t.Context()) {
				mu.Lock()
				if before, ok := worst[current.ID]; !ok || result.Verdict > before.Verdict {
					worst[current.ID] = result
				}
				mu.Unlock()
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	return worst
}

// forEach runs a subtest for each fault, many at once, because most of them only wait.
func forEach(t *testing.T, faults map[broken.Fault][]string, try func(*testing.T, broken.Fault, []string)) {
	t.Helper()
	var group errgroup.Group
	group.SetLimit(8)
	for fault, red := range faults {
		group.Go(func() error {
			t.Run(string(fault), func(t *testing.T) { try(t, fault, red) })
			return nil
		})
	}
	require.NoError(t, group.Wait())
}
