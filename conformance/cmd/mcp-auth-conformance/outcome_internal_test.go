package main

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"mcpentra/conformance/check"
)

func TestOutcome(t *testing.T) {
	t.Parallel()
	result := func(id string, level check.Level, verdict check.Verdict) check.Result {
		return check.Result{Rule: check.Rule{ID: id, Level: level}, Verdict: verdict}
	}
	var many []check.Result
	for i := range 7 {
		many = append(many, result(fmt.Sprintf("server/%d", i), check.Must, check.Error))
	}
	failed := result("server/a", check.Must, check.Fail)
	for _, test := range []struct {
		name    string
		results []check.Result
		want    string
	}{
		{"nothing wrong", []check.Result{result("server/a", check.Must, check.Pass)}, ""},
		{"warning and note", []check.Result{
			result("server/a", check.Should, check.Warn),
			result("server/b", check.Policy, check.Note),
		}, ""},
		{"failure", []check.Result{failed}, errFailed.Error()},
		{"failure beside a check without a verdict", append(many, failed), errFailed.Error()},
		{"SHOULD without a verdict", []check.Result{result("server/a", check.Should, check.Error)}, ""},
		{
			"MUST without a verdict",
			many[:1],
			`want a verdict for each MUST, but could not judge server/0; see the lines marked "error"`,
		},
		{
			"many of them",
			many,
			"want a verdict for each MUST, but could not judge " +
				`server/0, server/1, server/2, server/3, server/4 and 2 more; see the lines marked "error"`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := outcome(&check.Report{Results: test.results})
			if test.want == "" {
				assert.NoError(t, err)
			} else {
				assert.EqualError(t, err, test.want)
			}
		})
	}
}
