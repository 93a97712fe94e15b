package broken_test

import (
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
	"mcpentra/conformance/issuers/internal/broken"
)

// isFullMatrix says that each server is tried with every check, as make broken does. Otherwise it
// is tried only with the checks that should catch it.
func isFullMatrix() bool { return os.Getenv("BROKEN_MATRIX") == "full" }

// start starts a server with faults.
func start(t *testing.T, faults ...broken.Fault) *broken.Issuer {
	t.Helper()
	server := broken.Start(faults...)
	t.Cleanup(server.Close)
	return server
}

// runAll runs checks, several at once, and returns the result of each by ID. The checks that move
// the server's clock have a server of their own, because every other check would notice. So has
// each check of a server that serves one sign-in at a time.
func runAll(t *testing.T, selected []bench.Check, faults ...broken.Fault) map[string]check.Result {
	t.Helper()
	shared := start(t, faults...).Target()
	var mu sync.Mutex
	results := map[string]check.Result{}
	var group errgroup.Group
	group.SetLimit(8)
	for _, current := range selected {
		group.Go(func() error {
			target := shared
			if needsClock(current) || slices.Contains(faults, broken.KeepsOneSignIn) {
				target = start(t, faults...).Target()
			}
			result := bench.Run(t.Context(), current, target)
			mu.Lock()
			defer mu.Unlock()
			results[current.ID] = result
			return nil
		})
	}
	require.NoError(t, group.Wait())
	return results
}

func needsClock(current bench.Check) bool {
	for _, need := range current.Needs {
		if need == bench.Clock {
			return true
		}
	}
	return false
}
