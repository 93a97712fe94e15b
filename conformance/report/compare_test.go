package report_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/check"
	"mcpentra/conformance/report"
)

// withMismatches returns a result with a number of inputs that break the rule.
func withMismatches(number int) check.Result {
	result := attack("server/token/expired", check.Fail, false)
	mismatch := result.Err.(*check.Mismatch)
	for range number - 1 {
		mismatch.Others = append(mismatch.Others, &check.Mismatch{Want: "status 401", Got: "status 500"})
	}
	return result
}

// TestCompareSortsDifferences has each kind of difference of one result.
func TestCompareSortsDifferences(t *testing.T) {
	t.Parallel()
	of := func(verdict check.Verdict) *check.Result {
		result := attack("server/token/expired", verdict, false)
		return &result
	}
	broken := func(verdict check.Verdict) *check.Result {
		result := of(check.Fail)
		result.Verdict = verdict
		return result
	}
	insecure := attack("server/token/expired", check.Fail, true)
	critical := attack("server/token/expired", check.Fail, true)
	critical.Rule.Severity = check.Critical
	pass := of(check.Pass)
	skip := of(check.Skip)
	unjudged := of(check.Error)
	fail := of(check.Fail)
	warn := broken(check.Warn)
	note := broken(check.Note)
	few := withMismatches(2)
	many := withMismatches(30)
	for _, test := range []struct {
		name     string
		old, new *check.Result
		want     string // the list of the difference; empty means none
	}{
		{"pass stays", pass, pass, ""},
		{"fail stays", fail, fail, ""},
		{"pass, fail", pass, fail, "worse"},
		{"pass, warn", pass, warn, "worse"},
		{"pass, note", pass, note, "worse"},
		{"pass, error", pass, unjudged, "worse"},
		{"pass, skip", pass, skip, "worse"},
		{"skip, note", skip, note, "worse"},
		{"skip, error", skip, unjudged, "worse"},
		{"note, warn", note, warn, "worse"},
		{"warn, fail", warn, fail, "worse"},
		{"warn, error", warn, unjudged, "worse"},
		{"error, fail", unjudged, fail, "worse"},
		{"fail, insecure", fail, &insecure, "worse"},
		{"insecure, more so", &insecure, &critical, "worse"},
		{"more inputs", &few, &many, "worse"},
		{"appears as a failure", nil, fail, "worse"},
		{"appears as an error", nil, unjudged, "worse"},
		{"fewer inputs", &many, &few, "better"},
		{"insecure, less so", &critical, &insecure, "better"},
		{"insecure, fail", &insecure, fail, "better"},
		{"fail, pass", fail, pass, "better"},
		{"fail, warn", fail, warn, "better"},
		{"error, pass", unjudged, pass, "better"},
		{"skip, pass", skip, pass, "better"},
		{"fail, skip", fail, skip, "unjudged"},
		{"insecure, error", &insecure, unjudged, "unjudged"},
		{"warn, skip", warn, skip, "unjudged"},
		{"appears as a pass", nil, pass, "appeared"},
		{"appears as a warning", nil, warn, "appeared"},
		{"pass is gone", pass, nil, "gone"},
		{"fail is gone", fail, nil, "gone"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			document := func(result *check.Result) *report.Document {
				if result == nil {
					return report.New(report.Run{Kind: "server"}, nil)
				}
				return report.New(report.Run{Kind: "server"}, []check.Result{*result})
			}
			comparison, err := report.Compare(document(test.old), document(test.new))
			require.NoError(t, err)
			for list, differences := range map[string][]report.Difference{
				"worse":    comparison.Worse,
				"better":   comparison.Better,
				"unjudged": comparison.Unjudged,
				"appeared": comparison.Appeared,
				"gone":     comparison.Gone,
			} {
				want := 0
				if list == test.want {
					want = 1
				}
				assert.Len(t, differences, want, list)
			}
		})
	}
}

// TestCompareMatchesRevisions has a check that was skipped as a whole, and that is tried at two
// revisions now.
func TestCompareMatchesRevisions(t *testing.T) {
	t.Parallel()
	skipped := attack("server/token/expired", check.Skip, false)
	skipped.Revision = ""
	older := attack("server/token/expired", check.Fail, true)
	older.Revision = check.R20250618
	tried := []check.Result{older, attack("server/token/expired", check.Fail, true)}
	old := report.New(report.Run{Kind: "server"}, []check.Result{skipped})
	latest := report.New(report.Run{Kind: "server"}, tried)
	comparison, err := report.Compare(old, latest)
	require.NoError(t, err)
	assert.Equal(t, []report.Difference{{
		ID:        "server/token/expired",
		Revisions: []string{"2025-06-18", "2025-11-25"},
		Before:    "skip",
		After:     "fail (insecure, high)",
		Got:       "got status 500",
	}}, comparison.Worse)
	assert.Empty(t, comparison.Gone)
	comparison, err = report.Compare(latest, old)
	require.NoError(t, err)
	assert.Len(t, comparison.Unjudged, 2, "one for each revision that is no longer tried")
	assert.Empty(t, comparison.Gone)
}

func TestCompareNamesOtherReasons(t *testing.T) {
	t.Parallel()
	pass := []check.Result{attack("server/token/expired", check.Pass, false)}
	old := report.New(report.Run{
		Kind:    "server",
		Target:  "http://a/mcp",
		Program: "v1",
		Command: "server http://a/mcp",
	}, pass)
	latest := report.New(report.Run{
		Kind:        "server",
		Target:      "http://b/mcp",
		Program:     "v2",
		Command:     "server http://b/mcp --only " + hostile,
		Interrupted: true,
	}, nil)
	comparison, err := report.Compare(old, latest)
	require.NoError(t, err)
	require.Len(t, comparison.Notes, 4)
	assert.Len(t, comparison.Worse, 1, "the interrupted run might have broken the rule")
	var text bytes.Buffer
	require.NoError(t, comparison.Write(&text))
	assert.NotContains(t, text.String(), "\x1b")
	for _, want := range []string{
		"note: the targets differ: http://a/mcp, now http://b/mcp\n",
		"note: the programs differ: v1, now v2; checks may be new or stricter\n",
		"worse:\n  server/token/expired (2025-11-25)\n      pass, now absent\n",
		"\n1 worse, 0 better, 0 no longer judged, 0 new, 0 gone\n",
	} {
		assert.Contains(t, text.String(), want)
	}
	_, err = report.Compare(old, report.New(report.Run{Kind: "client"}, nil))
	assert.ErrorContains(t, err, `got a report of kind "server" and one of kind "client"`)
}

// TestCompareOfHostileReportIsReadable has an ID and a revision that no check has.
func TestCompareOfHostileReportIsReadable(t *testing.T) {
	t.Parallel()
	evil := attack("server/token/"+strings.Repeat("\x1b]0;x\x07\n", 1000), check.Fail, true)
	evil.Revision = "\x1b[2J"
	evil.Err = &check.Mismatch{Want: hostile, Got: hostile}
	comparison, err := report.Compare(
		report.New(report.Run{Kind: "server"}, nil),
		report.New(report.Run{Kind: "server"}, []check.Result{evil}),
	)
	require.NoError(t, err)
	var text bytes.Buffer
	require.NoError(t, comparison.Write(&text))
	assert.NotContains(t, text.String(), "\x1b")
	assert.NotContains(t, text.String(), "\n::")
	assert.Less(t, text.Len(), 2000)
}
