package report

import (
	"fmt"
	"io"
	"strings"

	"mcpentra/fakeentra/internal/verify/compare"
)

// A Head describes a run. It holds no ID of the tenant.
type Head struct {
	Version string // of the program
	Target  string // such as login.microsoftonline.com
	Tier    int
}

// Count returns the number of facts with a verdict.
func Count(results []compare.Result, verdict compare.Verdict) int {
	count := 0
	for _, result := range results {
		if result.Verdict == verdict {
			count++
		}
	}
	return count
}

// Summary returns the counts in a sentence.
func Summary(results []compare.Result) string {
	return fmt.Sprintf("%d facts: %d same, %d drift, %d not judged", len(results),
		Count(results, compare.Same), Count(results, compare.Drift), Count(results, compare.NotJudged))
}

// Text writes a line for each fact: the verdict, the confidence and the name. A drift has two more
// lines with the two sides.
func Text(w io.Writer, results []compare.Result) error {
	var out strings.Builder
	for _, result := range results {
		fmt.Fprintf(&out, "%-10s %s  %s", result.Verdict, result.Confidence, result.Name())
		if result.Verdict == compare.NotJudged {
			fmt.Fprintf(&out, " (%s)", result.Reason)
		}
		out.WriteString("\n")
		if result.Verdict == compare.Drift {
			fmt.Fprintf(&out, "           fake:   %s\n           tenant: %s\n           source: %s\n",
				result.Fake, result.Tenant, result.Source)
		}
	}
	out.WriteString(Summary(results) + "\n")
	_, err := io.WriteString(w, out.String())
	return err
}

// Markdown writes a report that can be attached to an issue: the drifts with both sides, the facts
// that were not judged by reason, and all facts.
func Markdown(w io.Writer, head Head, results []compare.Result) error {
	var out strings.Builder
	fmt.Fprintf(&out, "# fakeentra verify\n\n%s.\n\n", Summary(results))
	fmt.Fprintf(&out, "Version %s against %s, tier %d. ", head.Version, head.Target, head.Tier)
	out.WriteString("IDs, times, secrets and names are replaced by the place where they first occur.\n")
	writeDrifts(&out, results)
	writeNotJudged(&out, results)
	out.WriteString("\n## All facts\n\n| verdict | confidence | fact | source |\n|---|---|---|---|\n")
	for _, result := range results {
		fmt.Fprintf(&out, "| %s | %s | %s | %s |\n",
			result.Verdict, result.Confidence, cell(result.Name()), cell(result.Source))
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func writeDrifts(out *strings.Builder, results []compare.Result) {
	if Count(results, compare.Drift) == 0 {
		return
	}
	out.WriteString("\n## Drift\n\n| confidence | fact | fake | tenant | source |\n|---|---|---|---|---|\n")
	for _, result := range results {
		if result.Verdict == compare.Drift {
			fmt.Fprintf(out, "| %s | %s | %s | %s | %s |\n", result.Confidence, cell(result.Name()),
				code(result.Fake), code(result.Tenant), cell(result.Source))
		}
	}
}

// writeNotJudged lists the facts that were not judged, by reason.
func writeNotJudged(out *strings.Builder, results []compare.Result) {
	var reasons []string
	names := map[string][]string{}
	for _, result := range results {
		if result.Verdict != compare.NotJudged {
			continue
		}
		if names[result.Reason] == nil {
			reasons = append(reasons, result.Reason)
		}
		names[result.Reason] = append(names[result.Reason], result.Name())
	}
	if len(reasons) > 0 {
		out.WriteString("\n## Not judged\n\n| reason | facts |\n|---|---|\n")
	}
	for _, reason := range reasons {
		fmt.Fprintf(out, "| %s | %s |\n", cell(reason), cell(strings.Join(names[reason], ", ")))
	}
}

// cell escapes a text for a cell of a table.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;", "[", `\[`).Replace(text)
}

// code writes a text as code in a cell.
func code(text string) string {
	return "`" + strings.NewReplacer("`", "'", "|", `\|`, "\n", " ").Replace(text) + "`"
}
