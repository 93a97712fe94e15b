package report_test

import (
	"fmt"
	"os"

	"mcpentra/fakeentra/internal/verify/compare"
	"mcpentra/fakeentra/internal/verify/facts"
	"mcpentra/fakeentra/internal/verify/report"
)

func ExampleText() {
	fact := facts.Fact{Request: "token-get", Aspect: "status", Confidence: facts.Medium, Source: "I"}
	results := []compare.Result{{Fact: fact, Verdict: compare.Drift, Fake: "400", Tenant: "405"}}
	if err := report.Text(os.Stdout, results); err != nil {
		fmt.Println(err)
	}
	// Output:
	// drift      M  token-get: status
	//            fake:   400
	//            tenant: 405
	//            source: I
	// 1 facts: 0 same, 1 drift, 0 not judged
}
