package issuers_test

import (
	"context"
	"fmt"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers"
	"mcpentra/conformance/issuers/internal/broken"
)

// The checks find an authorization server that registers redirect URIs without TLS.
func Example() {
	server := broken.Start(broken.RegistersPlainHTTP) // in place of your own
	defer server.Close()

	report, err := issuers.Run(context.Background(), server.Target(), check.Selection{
		IDs: []string{"authorization-server/registration"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, result := range report.Results {
		if result.Verdict > check.Pass {
			fmt.Println(result.Verdict, result.Name())
		}
	}
	// Output:
	// fail authorization-server/registration/plain-http
}
