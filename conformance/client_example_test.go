package conformance_test

import (
	"context"
	"fmt"

	"mcpentra/conformance"
	"mcpentra/conformance/engine"
	"mcpentra/conformance/twins"
)

func ExampleRunClient() {
	client := twins.Client(twins.UsesPlain) // in place of your own

	report, err := conformance.RunClient(context.Background(), engine.ClientTarget{
		Name:      "my client",
		Run:       client.Run, // connect to task.URL, show pages with task.Open, list the tools, call task.Tool
		Revisions: []engine.Revision{engine.R20251125},
	}, conformance.Selection{Selection: engine.Selection{IDs: []string{"client/pkce/s256"}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(report.Worst(), report.Results[0].Name())
	// Output: fail client/pkce/s256@2025-11-25
}
