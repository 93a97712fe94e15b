package conformance_test

import (
	"context"
	"fmt"

	"mcpentra/conformance"
	"mcpentra/conformance/engine"
	"mcpentra/conformance/twins"
)

// A server that never looks at exp, and what the checks make of it.
func Example() {
	server := twins.Start(twins.AcceptsExpired)
	defer server.Close()

	report, err := conformance.Run(context.Background(), server.Target(), conformance.Selection{
		Selection: engine.Selection{IDs: []string{"server/token"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, result := range report.Results {
		if result.Verdict > engine.Pass {
			fmt.Println(result.Verdict, result.Name())
		}
	}
	// Output:
	// fail server/token/expired
	// fail server/token/expiry-form
}
