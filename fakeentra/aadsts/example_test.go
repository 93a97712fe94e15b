package aadsts_test

import (
	"fmt"
	"time"

	"mcpentra/fakeentra/aadsts"
)

func Example() {
	problem := aadsts.Redeemed()
	fmt.Println(problem.Status, string(problem.JSON(aadsts.Occurrence{
		TraceID:       "t",
		CorrelationID: "c",
		Time:          time.Unix(0, 0),
		Authority:     "https://login.microsoftonline.com",
	})))
	// Output:
	// 400 {"error":"invalid_grant","error_description":"AADSTS54005: OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token. Trace ID: t Correlation ID: c Timestamp: 1970-01-01 00:00:00Z","error_codes":[54005],"timestamp":"1970-01-01 00:00:00Z","trace_id":"t","correlation_id":"c","error_uri":"https://login.microsoftonline.com/error?code=54005"}
}

func ExampleAppendEscaped() {
	fmt.Println(string(aadsts.AppendEscaped(nil, "a state/with+signs")))
	// Output: a+state%2fwith%2bsigns
}
