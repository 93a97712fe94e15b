package report_test

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/check"
	"mcpentra/conformance/report"
)

// command is a workflow command as GitHub's runner reads it.
var command = regexp.MustCompile(`^::(error|warning|notice) title=([^:,]*)::(.*)$`)

// annotationsOf returns the annotations of a document: kind, title and text.
func annotationsOf(t *testing.T, document *report.Document) [][]string {
	t.Helper()
	var text bytes.Buffer
	require.NoError(t, report.WriteAnnotations(&text, document))
	var all [][]string
	for line := range strings.Lines(text.String()) {
		parts := command.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		require.NotNil(t, parts, "no line is anything else: %q", line)
		decode := strings.NewReplacer("%0D", "\r", "%0A", "\n", "%3A", ":", "%2C", ",", "%25", "%")
		all = append(all, []string{parts[1], decode.Replace(parts[2]), decode.Replace(parts[3])})
	}
	return all
}

// TestAnnotationsHoldHostileText has text that tries to begin a command of its own.
func TestAnnotationsHoldHostileText(t *testing.T) {
	t.Parallel()
	all := annotationsOf(t, everyVerdict())
	require.Len(t, all, 4, "the baseline lists a failure")
	assert.Equal(t, []string{"error", "fail server/token/expired (2025-11-25)"}, all[0][:2])
	assert.Contains(t, all[0][2], "%0A::error::z", "the text arrives as it was")
	assert.NotContains(t, all[0][2], "\x1b")
	assert.Equal(t, []string{"error", "error server/token/huge"}, all[1][:2])
	assert.Equal(t, []string{"warning", "warn server/headers/nosniff"}, all[2][:2])
	assert.Equal(t, []string{"notice", "note server/limits/body"}, all[3][:2])
}

// TestAnnotationsAreTen has more failures than GitHub shows. The worst come first, and the last
// names the rest.
func TestAnnotationsAreTen(t *testing.T) {
	t.Parallel()
	var results []check.Result
	for i := range 12 {
		results = append(results, attack(fmt.Sprintf("server/token/%02d", i), check.Fail, i == 11))
	}
	all := annotationsOf(t, report.New(report.Run{}, results))
	require.Len(t, all, 10)
	assert.Contains(t, all[0][1], "server/token/11")
	assert.Equal(t, "3 more", all[9][1])
	assert.Contains(t, all[9][2], "server/token/09")
	assert.Len(t, annotationsOf(t, report.New(report.Run{}, results[:10])), 10)
	assert.Empty(t, annotationsOf(t, report.New(report.Run{}, nil)))
}

// TestAnnotationsJoinRevisions has one failure at two revisions.
func TestAnnotationsJoinRevisions(t *testing.T) {
	t.Parallel()
	older := attack("server/token/expired", check.Fail, true)
	older.Revision = check.R20250618
	all := annotationsOf(t, report.New(report.Run{}, []check.Result{
		older, attack("server/token/expired", check.Fail, true),
	}))
	require.Len(t, all, 1)
	assert.Equal(t, "fail server/token/expired (2025-06-18, 2025-11-25)", all[0][1])
}

// summaryOf returns the Markdown of a document.
func summaryOf(t *testing.T, document *report.Document, room int) string {
	t.Helper()
	var text bytes.Buffer
	require.NoError(t, report.WriteGitHubSummary(&text, document, room))
	return text.String()
}

func TestSummaryHoldsHostileText(t *testing.T) {
	t.Parallel()
	text := summaryOf(t, everyVerdict(), report.MaxGitHubSummary)
	assert.Contains(t, text, "| **all** |  | ❌ no: 1 of 3 attacks had an effect | ❌ no: 2 of 4 MUSTs broken |")
	assert.Contains(t, text, "1 passed, 2 failed (1 insecure), 1 warned, 1 noted, 1 skipped, 1 errors; 1 are known")
	assert.NotContains(t, text, "<script")
	assert.NotContains(t, text, "\x1b")
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "| fail") {
			assert.Equal(t, 7, strings.Count(line, "|"), "a row has six cells: %s", line)
			assert.NotContains(t, line, "[a](")
			assert.NotContains(t, line, "`")
		}
	}
	assert.Equal(t, strings.Count(text, "<pre>"), strings.Count(text, "</pre>"))
	assert.Equal(t, 5, strings.Count(text, "<details>"))
}

// TestSummaryIsBounded has more findings than there is room for.
func TestSummaryIsBounded(t *testing.T) {
	t.Parallel()
	var results []check.Result
	for i := range 1000 {
		result := attack(fmt.Sprintf("server/token/%04d", i), check.Fail, true)
		result.Err = &check.Mismatch{Want: "status 401", Got: strings.Repeat("<", 20_000)}
		results = append(results, result)
	}
	document := report.New(report.Run{Target: "http://localhost/mcp"}, results)
	for _, room := range []int{report.MaxGitHubSummary, 10_000, 2_000} {
		text := summaryOf(t, document, room)
		assert.LessOrEqual(t, len(text), room)
		assert.Greater(t, len(text), room/4)
		assert.Contains(t, text, " more are left out")
	}
	assert.ErrorContains(t, report.WriteGitHubSummary(&bytes.Buffer{}, document, 10), "want room for a summary")
}
