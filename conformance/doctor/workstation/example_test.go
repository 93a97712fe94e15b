package workstation_test

import (
	"context"
	"fmt"

	"mcpentra/conformance/doctor/workstation"
)

func ExampleExamine() {
	report, err := workstation.Examine(context.Background(), workstation.Config{
		URL:     "http://mcp.example.com/mcp",
		Environ: []string{"HOME=/home/user", "MCP_TOKEN_STORE=memory"},
		OS:      "linux",
		LookupHost: func(context.Context, string) ([]string, error) {
			return []string{"127.0.0.1"}, nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(report.Steps[0].Findings[0].Seen)
	// Output: the client refuses the address: it is plain http to another machine
}
