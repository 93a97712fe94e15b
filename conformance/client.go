package conformance

import (
	"context"
	"testing"

	"mcpentra/conformance/checks/clients"
	"mcpentra/conformance/engine"
)

// RunClient tries the checks of clients against one, each in a lab of its own on loopback, one after the other. Its error says that nothing could be run, or that the context
// ended before the last check; what the checks found is in the report.
func RunClient(ctx context.Context, target engine.ClientTarget, selection Selection) (*Report, error) {
	selected, err := engine.Select(clients.All(), selection.Selection)
	if err != nil {
		return nil, err
	}
	report := &Report{URL: target.Name}
	for _, check := range selected {
		for _, result := range engine.RunClient(ctx, check, target) {
			report.Results = append(report.Results, result)
			if selection.Progress != nil {
				selection.Progress(result)
			}
		}
		if err := ctx.Err(); err != nil {
			return report, err
		}
	}
	return report, nil
}

// TestClient tries the checks of clients against one as Test does with a server: each in a parallel subtest of its name, and held to SHOULD and policy too. Checks that need an
// ability that the target does not claim are skipped.
func TestClient(t *testing.T, target engine.ClientTarget, only ...string) {
	t.Helper()
	selected, err := engine.Select(clients.All(), engine.Selection{IDs: only, Disruptive: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, check := range selected {
		t.Run(check.ID, func(t *testing.T) {
			t.Parallel()
			for _, result := range engine.RunClient(t.Context(), check, target) {
				if !check.EachRevision {
					judge(t, result)
					continue
				}
				t.Run(string(result.Revision), func(t *testing.T) { judge(t, result) })
			}
		})
	}
}
