package conformance

import (
	"context"
	"slices"

	"mcpentra/conformance/checks"
	"mcpentra/conformance/checks/clients"
	"mcpentra/conformance/engine"
)

// Checks are all the checks that there are, those of servers and those of clients.
func Checks() []engine.Check { return slices.Concat(checks.All(), clients.All()) }

// A Selection narrows down what is run, and says who hears of it.
type Selection struct {
	engine.Selection
	// Progress hears of each result as it comes. Nil hears nothing.
	Progress func(engine.Result)
}

// A Report is what came of a run.
type Report struct {
	URL     string
	Results []engine.Result
}

// Run tries the checks against a server, one after the other. Its error says that nothing could be run, or that the
// context ended before the last check; what the checks found is in the report.
func Run(ctx context.Context, target engine.Target, selection Selection) (*Report, error) {
	selected, err := engine.Select(checks.All(), selection.Selection)
	if err != nil {
		return nil, err
	}
	report := &Report{URL: target.URL}
	for _, check := range selected {
		for _, result := range engine.Run(ctx, check, target) {
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

// Count is how many results have the verdict.
func (r *Report) Count(verdict engine.Verdict) int {
	n := 0
	for _, result := range r.Results {
		if result.Verdict == verdict {
			n++
		}
	}
	return n
}

// Worst is the worst verdict of the report.
func (r *Report) Worst() engine.Verdict {
	worst := engine.Skip
	for _, result := range r.Results {
		worst = max(worst, result.Verdict)
	}
	return worst
}
