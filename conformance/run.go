package conformance

import (
	"context"
	"errors"

	"mcpentra/conformance/checks"
	"mcpentra/conformance/engine"
)

// Checks are all the checks that there are.
func Checks() []engine.Check { return checks.All() }

// A Selection narrows down what is run.
type Selection struct {
	// Only are IDs, or beginnings of IDs up to a slash, such as server/token. Nil means all checks.
	Only []string
	// Progress hears of each result as it comes. Nil hears nothing.
	Progress func(engine.Result)
}

// A Report is what came of a run.
type Report struct {
	URL     string
	Results []engine.Result
}

// ErrNothingSelected says that no check has an ID that was asked for.
var ErrNothingSelected = errors.New("conformance: no check has such an ID")

// Run tries the checks against a server. Its error says that nothing could be run; what the checks found is in the report.
func Run(ctx context.Context, target engine.Target, selection Selection) (*Report, error) {
	report := &Report{URL: target.URL}
	selected := 0
	for _, check := range Checks() {
		if !engine.Match(check.ID, selection.Only) {
			continue
		}
		selected++
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
	if selected == 0 {
		return nil, ErrNothingSelected
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
