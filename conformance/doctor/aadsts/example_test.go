package aadsts_test

import (
	"fmt"

	"mcpentra/conformance/doctor/aadsts"
)

func ExampleFind() {
	const answer = `{"error":"invalid_client","error_description":"AADSTS7000222: The provided client secret keys ` +
		`for app '11111111-1111-1111-1111-111111111111' are expired. Trace ID: ` +
		`0f0e0d0c-0000-4000-8000-000000000001 Timestamp: 2026-11-22 18:00:00Z"}`
	for _, finding := range aadsts.Find(answer) {
		fmt.Println(finding.Code, finding.Explanation.Meaning)
		fmt.Println(finding.Explanation.Fixes[1].Place, finding.Explanation.Fixes[1].Where)
		fmt.Println(finding.TraceID)
	}
	// Output:
	// 7000222 The client secret has expired.
	// server setting AUTH_CLIENT_SECRET
	// 0f0e0d0c-0000-4000-8000-000000000001
}

func ExampleExplain() {
	explanation, known := aadsts.Explain(50011)
	fmt.Println(known, explanation.BeforeSignIn(), explanation.Fixes[1].Where)
	// Output: true true MCP_PUBLIC_URL and AUTH_REDIRECT_URI
}
