package doctor_test

import (
	"context"
	"fmt"

	"mcpentra/conformance/doctor"
)

func ExampleWalk() {
	report, err := doctor.Walk(context.Background(), doctor.Config{URL: "mcp.example.com"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(report.ExitStatus(), report.Steps[0].Findings[0].Code)
	// Output: 2 address-unusable
}
