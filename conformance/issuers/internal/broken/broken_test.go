package broken_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/checks"
	"mcpentra/conformance/issuers/internal/bench"
	"mcpentra/conformance/issuers/internal/broken"
)

func TestIssuerWithoutFaultsPasses(t *testing.T) {
	t.Parallel()
	for id, result := range runAll(t, checks.All()) {
		if skipped[id] {
			assert.Equal(t, check.Skip, result.Verdict, "%s: %v", id, result.Err)
			continue
		}
		assert.Equal(t, check.Pass, result.Verdict, "%s: %v", id, result.Err)
	}
}

func TestIssuerWithThirdPartyPasses(t *testing.T) {
	t.Parallel()
	selected := slices.DeleteFunc(checks.All(), func(current bench.Check) bool {
		return !strings.HasPrefix(current.ID, "authorization-server/third-party/")
	})
	for id, result := range runAll(t, selected, broken.SignsInElsewhere) {
		assert.Equal(t, check.Pass, result.Verdict, "%s: %v", id, result.Err)
	}
}

func TestChecksCatchFaults(t *testing.T) {
	t.Parallel()
	var group errgroup.Group
	group.SetLimit(16)
	for fault, red := range caughtBy() {
		group.Go(func() error {
			t.Run(string(fault), func(t *testing.T) { tryFault(t, fault, red) })
			return nil
		})
	}
	require.NoError(t, group.Wait())
}

// tryFault wants the checks red that should catch a fault, and no others.
func tryFault(t *testing.T, fault broken.Fault, red []string) {
	t.Helper()
	selected := slices.DeleteFunc(checks.All(), func(current bench.Check) bool {
		return !isFullMatrix() && !slices.Contains(red, current.ID)
	})
	results := runAll(t, selected, fault)
	for _, current := range selected {
		result := results[current.ID]
		switch {
		case slices.Contains(red, current.ID):
			verdicts := []check.Verdict{check.Note, check.Warn, check.Fail}
			assert.Contains(t, verdicts, result.Verdict, "%s: %v", current.ID, result.Err)
		case slices.Contains(breaksFlow, fault):
			verdicts := []check.Verdict{check.Pass, check.Skip, check.Error}
			assert.Contains(t, verdicts, result.Verdict, "%s: %v", current.ID, result.Err)
		default:
			verdicts := []check.Verdict{check.Pass, check.Skip}
			assert.Contains(t, verdicts, result.Verdict, "%s: %v", current.ID, result.Err)
		}
	}
}

func TestEveryCheckCatchesFaults(t *testing.T) {
	t.Parallel()
	catching := map[string]bool{}
	for _, red := range caughtBy() {
		for _, id := range red {
			catching[id] = true
		}
	}
	for _, current := range checks.All() {
		assert.True(t, catching[current.ID], "%s catches no broken authorization server", current.ID)
	}
}

func TestDeadIssuerIsError(t *testing.T) {
	t.Parallel()
	target := start(t, broken.SignsInElsewhere).Target() // it supplies everything
	target.URL = "http://127.0.0.1:1"
	for _, current := range checks.All() {
		result := bench.Run(t.Context(), current, target)
		assert.Equal(t, check.Error, result.Verdict, "%s: %v", result.Name(), result.Err)
	}
}

func ExampleStart() {
	server := broken.Start(broken.RegistersScripts)
	defer server.Close()
	for _, check := range checks.All() {
		if check.ID == "authorization-server/registration/scripts" {
			fmt.Println(bench.Run(context.Background(), check, server.Target()).Verdict)
		}
	}
	// Output: fail
}
