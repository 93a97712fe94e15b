package servers_test

import (
	"context"
	"fmt"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers"
	"mcpentra/conformance/servers/internal/broken"
)

// The checks find a server that ignores exp.
func Example() {
	server := broken.Start(broken.AcceptsExpired) // in place of your own
	defer server.Close()

	report, err := servers.Run(context.Background(), server.Target(), check.Selection{
		IDs: []string{"server/token"},
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
	// fail server/token/expired
	// fail server/token/expiry-form
}
