package clients_test

import (
	"context"
	"fmt"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients"
	"mcpentra/conformance/clients/internal/broken"
)

// A client that uses the PKCE method plain, and what the checks make of it.
func Example() {
	client := broken.Client(broken.UsesPlain) // in place of your own

	report, err := clients.Run(context.Background(), clients.Target{
		Name:      "my client",
		Run:       client.Run,
		Revisions: []check.Revision{check.R20251125},
	}, check.Selection{IDs: []string{"client/pkce/s256"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(report.Results[0].Verdict, report.Results[0].Name())
	// Output: fail client/pkce/s256@2025-11-25
}
