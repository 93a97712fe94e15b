package aadsts_test

import (
	"fmt"
	"strings"
	"time"

	"mcpentra/fakeentra/aadsts"
)

func Example() {
	problem := aadsts.WrongSecret("5a1e0002-0000-4000-8000-000000000001")
	body := string(problem.JSON(aadsts.Occurrence{
		TraceID:       "t",
		CorrelationID: "c",
		Time:          time.Unix(0, 0),
		Authority:     "https://login.microsoftonline.com",
	}))
	fmt.Println(problem.Status, strings.Split(body, ",")[0])
	_, rest, _ := strings.Cut(body, `"timestamp"`)
	for _, member := range strings.Split(`"timestamp"`+rest, ",") {
		fmt.Println(member)
	}
	// Output:
	// 401 {"error":"invalid_client"
	// "timestamp":"1970-01-01 00:00:00Z"
	// "trace_id":"t"
	// "correlation_id":"c"
	// "error_uri":"https://login.microsoftonline.com/error?code=7000215"}
}

func ExampleAppendEscaped() {
	fmt.Println(string(aadsts.AppendEscaped(nil, "a state/with+signs")))
	// Output: a+state%2fwith%2bsigns
}
