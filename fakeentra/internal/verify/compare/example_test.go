package compare_test

import (
	"fmt"

	"mcpentra/fakeentra/internal/verify/compare"
	"mcpentra/fakeentra/internal/verify/facts"
	"mcpentra/fakeentra/internal/verify/recording"
)

func ExampleJudge() {
	fact := facts.Fact{Request: "token-unknown-client", Aspect: "status", Confidence: facts.High}
	result := compare.Judge(fact, &recording.Exchange{Status: 400}, &recording.Exchange{Status: 401})
	fmt.Println(result.Verdict, result.Fake, result.Tenant)
	// Output: drift 400 401
}
