package conformance_test

import (
	"context"
	"fmt"

	"mcpentra/conformance"
	"mcpentra/conformance/engine"
	"mcpentra/conformance/twins"
)

func ExampleRun() {
	server := twins.Start(twins.AcceptsExpired) // in place of your own
	defer server.Close()

	report, err := conformance.Run(context.Background(), engine.Target{
		URL:    server.URL,
		Tokens: server.Target().Tokens, // by kind: good, expired, another user's
		Mint:   server.Target().Mint,   // any other, with the issuer's key
		Canary: server.Target().Canary, // a tool that counts its runs
	}, conformance.Selection{Selection: engine.Selection{IDs: []string{"server/token/expired"}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(report.Worst(), report.Results[0].Name(), report.Results[0].Insecure())
	// Output: fail server/token/expired true
}
