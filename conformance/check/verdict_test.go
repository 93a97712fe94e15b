package check_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/inputs"
)

// try runs a check of a MUST that defends against an attack of severity high.
func try(t *testing.T, try func() error) check.Result {
	t.Helper()
	bound := check.Bound{
		Rule:    check.Rule{ID: "server/x", Level: check.Must, Severity: check.High},
		Timeout: time.Minute,
		Try:     func(context.Context, check.Revision) error { return try() },
	}
	results := bound.Run(t.Context())
	require.Len(t, results, 1)
	return results[0]
}

func TestRunPutsWorstFirst(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		inputs   []*check.Mismatch
		want     []string
		verdict  check.Verdict
		severity check.Severity
	}{
		{
			"level before effect",
			[]*check.Mismatch{{Got: "a", Level: check.Should, Insecure: true}, {Got: "b"}},
			[]string{"b", "a"},
			check.Fail,
			check.High,
		},
		{
			"effect before severity",
			[]*check.Mismatch{{Got: "a", Severity: check.Critical}, {Got: "b", Insecure: true, Severity: check.Low}},
			[]string{"b", "a"},
			check.Fail,
			check.Low,
		},
		{
			"severity last",
			[]*check.Mismatch{{Got: "a", Insecure: true}, {Got: "b", Insecure: true, Severity: check.Critical}},
			[]string{"b", "a"},
			check.Fail,
			check.Critical,
		},
		{
			"equal ones in their order",
			[]*check.Mismatch{{Got: "a", Level: check.Policy}, {Got: "b", Level: check.Policy}},
			[]string{"a", "b"},
			check.Note,
			"",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			result := try(t, func() error {
				return inputs.TryAll(test.inputs, func(m *check.Mismatch) error { return m })
			})
			var got []string
			for _, mismatch := range result.Mismatches() {
				got = append(got, mismatch.Got)
			}
			assert.Equal(t, test.want, got)
			assert.Equal(t, test.verdict, result.Verdict)
			assert.Equal(t, test.severity, result.Severity())
		})
	}
}

func TestEffectWithoutSeverityHasOne(t *testing.T) {
	t.Parallel()
	for level, want := range map[check.Level]check.Severity{
		check.Must:   check.Medium,
		check.Should: check.Low,
		check.Policy: check.Low,
	} {
		result := check.Result{
			Rule:    check.Rule{Level: level},
			Verdict: check.Fail,
			Err:     &check.Mismatch{Insecure: true},
		}
		assert.Equal(t, want, result.Severity(), level)
	}
}

func TestSkippedChecksSkip(t *testing.T) {
	t.Parallel()
	result := try(t, func() error {
		return &check.Skipped{Of: "server/token/accepted", Reason: "the server refuses the good token"}
	})
	assert.Equal(t, check.Skip, result.Verdict)
	assert.EqualError(t, result.Err, "follows from server/token/accepted: the server refuses the good token")
	result = try(t, func() error { return &check.Skipped{Reason: "3 of 50 samples"} })
	assert.Equal(t, check.Skip, result.Verdict)
	result = try(t, func() error { return errors.New("what now") })
	assert.Equal(t, check.Error, result.Verdict)
}
