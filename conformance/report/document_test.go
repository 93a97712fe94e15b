package report_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/check"
	"mcpentra/conformance/report"
)

// attack returns a result of a check that is an attack.
func attack(id string, verdict check.Verdict, insecure bool) check.Result {
	result := check.Result{
		Rule:     check.Rule{ID: id, Level: check.Must, Severity: check.High, EachRevision: true},
		Revision: check.R20251125,
		Verdict:  verdict,
	}
	switch verdict {
	case check.Fail:
		result.Err = &check.Mismatch{Want: "status 401", Got: "status 500", Insecure: insecure}
	case check.Error:
		result.Err = &check.CannotJudge{Reason: "the server gives no answer"}
	case check.Skip:
		result.Err = &check.Skipped{Reason: "needs a token of the kind: expired"}
	}
	return result
}

// TestJudgementsSeparateSecurityAndConformance judges servers that are one without the other.
func TestJudgementsSeparateSecurityAndConformance(t *testing.T) {
	t.Parallel()
	pass := attack("server/token/form", check.Pass, false)
	skip := attack("server/token/key", check.Skip, false)
	for name, test := range map[string]struct {
		results            []check.Result
		secure, conformant report.Judgement
	}{
		"keeps all": {
			[]check.Result{pass, skip},
			report.Judgement{Answer: report.Yes, Reason: "none of 1 attack had an effect; 1 not tried"},
			report.Judgement{Answer: report.Yes, Reason: "none of 1 MUST broken"},
		},
		"refuses in another way": {
			[]check.Result{pass, attack("server/token/expired", check.Fail, false)},
			report.Judgement{Answer: report.Yes, Reason: "none of 2 attacks had an effect"},
			report.Judgement{Answer: report.No, Reason: "1 of 2 MUSTs broken"},
		},
		"insecure": {
			[]check.Result{pass, attack("server/token/expired", check.Fail, true)},
			report.Judgement{Answer: report.No, Reason: "1 of 2 attacks had an effect"},
			report.Judgement{Answer: report.No, Reason: "1 of 2 MUSTs broken"},
		},
		"not judged": {
			[]check.Result{pass, attack("server/token/expired", check.Error, false)},
			report.Judgement{Answer: report.Unknown, Reason: "1 of 2 attacks could not be judged"},
			report.Judgement{Answer: report.Unknown, Reason: "1 of 2 MUSTs could not be judged"},
		},
		"not tried": {
			[]check.Result{skip},
			report.Judgement{Answer: report.Unknown, Reason: "no attack was tried"},
			report.Judgement{Answer: report.Unknown, Reason: "no MUST was tried"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			document := report.New(report.Run{}, test.results)
			assert.Equal(t, test.secure, document.Secure)
			assert.Equal(t, test.conformant, document.Conformant)
		})
	}
}

// TestInterruptedRunProvesNothing has a run without failures that ended early, and one with a
// failure.
func TestInterruptedRunProvesNothing(t *testing.T) {
	t.Parallel()
	run := report.Run{Interrupted: true}
	document := report.New(run, []check.Result{attack("server/token/form", check.Pass, false)})
	want := report.Judgement{
		Answer: report.Unknown,
		Reason: "none of 1 attack had an effect, but the run was interrupted",
	}
	assert.Equal(t, want, document.Secure)
	assert.Equal(t, report.Unknown, document.Conformant.Answer)
	require.Len(t, document.Scores, 1)
	assert.Equal(t, want, document.Scores[0].Secure)
	document = report.New(run, []check.Result{attack("server/token/form", check.Fail, true)})
	assert.Equal(t, report.No, document.Secure.Answer)
}

// TestDocumentScoresEachRevision has a failure at one revision, and a rule that was tried at one
// revision and applies to all.
func TestDocumentScoresEachRevision(t *testing.T) {
	t.Parallel()
	older := attack("server/token/expired", check.Pass, false)
	older.Revision = check.R20250618
	once := check.Result{
		Rule:     check.Rule{ID: "server/metadata/found", Level: check.Must},
		Revision: check.R20251125,
		Verdict:  check.Pass,
		Duration: 20 * time.Millisecond,
	}
	document := report.New(
		report.Run{
			Began:   time.Date(2026, 11, 30, 1, 2, 3, 0, time.FixedZone("CET", 3600)),
			Again:   func(result check.Result) string { return "again " + result.Name() },
			Change:  func(id string) string { return "change " + id },
			IsKnown: func(result check.Result) bool { return result.Verdict == check.Fail },
		},
		[]check.Result{older, attack("server/token/expired", check.Fail, true), once},
	)
	assert.Equal(t, "2026-11-30T00:02:03Z", document.Began)
	require.Len(t, document.Scores, 2)
	assert.Equal(t, check.R20250618, document.Scores[0].Revision)
	assert.Equal(t, report.Counts{Pass: 2}, document.Scores[0].Counts)
	assert.Equal(t, report.Counts{Pass: 1, Fail: 1, Insecure: 1, Known: 1}, document.Scores[1].Counts)
	failed := document.Results[1]
	assert.Equal(t, "token", failed.Topic)
	assert.Equal(t, check.High, failed.Risk)
	assert.Equal(t, "again server/token/expired@2025-11-25", failed.Again)
	assert.Equal(t, "change server/token/expired", failed.Change)
	assert.EqualValues(t, 20, document.Results[2].Duration)
	assert.Empty(t, document.Results[2].Again, "a rule that is kept needs no repetition")
}

// TestDocumentBoundsMismatches has more broken inputs than a document shows, and an error with two
// lines.
func TestDocumentBoundsMismatches(t *testing.T) {
	t.Parallel()
	many := attack("server/token/expired", check.Fail, true)
	mismatch := many.Err.(*check.Mismatch)
	for range 30 {
		mismatch.Others = append(mismatch.Others, &check.Mismatch{Want: "status 401", Got: "status 200"})
	}
	mismatch.Got = "x" + strings.Repeat("é", 20_000) // the bound falls into a letter
	mismatch.Exchange = "\xff\r"
	broken := attack("server/token/form", check.Error, false)
	broken.Err = errors.New("the check panicked\ngoroutine 1")
	document := report.New(report.Run{}, []check.Result{many, broken})
	assert.Len(t, document.Results[0].Mismatches, 20)
	assert.Equal(t, 11, document.Results[0].Omitted)
	worst := document.Results[0].Mismatches[0]
	assert.Equal(t, "x"+strings.Repeat("é", 8<<10-1)+"… (23618 more bytes)", worst.Got)
	assert.Equal(t, "\ufffd", worst.Exchange)
	assert.Equal(t, "the check panicked", document.Results[1].Reason)
}
