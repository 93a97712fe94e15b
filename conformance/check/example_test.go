package check_test

import (
	"context"
	"fmt"
	"time"

	"mcpentra/conformance/check"
)

// A rule that a target breaks. A SHOULD is a warning.
func Example() {
	nosniff := check.Bound{
		Rule:    check.Rule{ID: "server/headers/nosniff", Level: check.Should},
		Timeout: time.Second,
		Try: func(context.Context, check.Revision) error {
			return &check.Mismatch{Want: "X-Content-Type-Options: nosniff", Got: `""`}
		},
	}
	result := nosniff.Run(context.Background())[0]
	fmt.Println(result.Verdict, result.Name()+":", result.Err)
	// Output: warn server/headers/nosniff: want X-Content-Type-Options: nosniff, got ""
}
