package report_test

import (
	"errors"
	"fmt"
	"os"

	"mcpentra/conformance/check"
	"mcpentra/conformance/report"
)

func Example() {
	current := check.Rule{
		ID:        "server/token/expired",
		Level:     check.Must,
		Severity:  check.Critical,
		Reference: "RFC 7519 section 4.1.4",
		Sentence:  "A token that has expired is refused.",
	}
	results := []check.Result{
		{Rule: current, Verdict: check.Pass},
		{
			Rule:    current,
			Verdict: check.Fail,
			Err: &check.Mismatch{
				Want:     "status 401",
				Got:      "status 200",
				Insecure: true,
				Exchange: "POST http://localhost/mcp\n→ 200 OK\n",
				Others:   []*check.Mismatch{{Want: "status 401: as text", Got: "status 500"}},
			},
		},
		{Rule: current, Verdict: check.Skip, Err: errors.New("needs a token of the kind: expired")},
		{Rule: current, Verdict: check.Error, Err: &check.CannotJudge{Reason: "the server gives no answer"}},
	}
	terminal := report.Terminal{
		Out:    os.Stdout,
		Again:  func(check.Result) string { return "try again" },
		Change: func(string) string { return "compare exp with the clock" },
	}
	for _, result := range results {
		terminal.Add(result)
	}
	if err := terminal.Summary(report.New(report.Run{}, results)); err != nil {
		fmt.Println(err)
	}
	// Output:
	// server/token
	// pass  server/token/expired
	// fail  server/token/expired
	//       want   status 401
	//       got    status 200
	//       also   want status 401: as text, got status 500
	//       risk   critical (the bad input had an effect)
	//       rule   MUST A token that has expired is refused.
	//       from   RFC 7519 section 4.1.4
	//       | POST http://localhost/mcp
	//       | → 200 OK
	//       change compare exp with the clock
	//       again  try again
	// skip  server/token/expired
	//       needs a token of the kind: expired
	// error server/token/expired
	//       cannot judge: the server gives no answer
	//       again  try again
	//
	// secure       no       1 of 3 attacks had an effect; 1 not tried
	// conformant   no       1 of 3 MUSTs broken
	//
	// fail  critical server/token/expired
	//
	// 1 passed, 1 failed (1 insecure), 0 warned, 0 noted, 1 skipped, 1 errors
}
