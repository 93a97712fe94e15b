package fault_test

import (
	"fmt"
	"time"

	"mcpentra/fakeentra/endpoint"
	"mcpentra/fakeentra/fault"
)

// The second refresh of a client is throttled; nothing else is.
func Example() {
	var script fault.Script
	err := script.Add(fault.Fault{
		On:         endpoint.Token,
		Grant:      "refresh_token",
		Nth:        2,
		Status:     429,
		RetryAfter: time.Minute,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	refresh := fault.Call{Endpoint: endpoint.Token, Grant: "refresh_token"}
	fmt.Println(script.Match(refresh))
	fmt.Println(len(script.Unused()), "is left")
	fmt.Println(script.Match(refresh))
	fmt.Println(len(script.Unused()), "is left")
	// Output:
	// <nil>
	// 1 is left
	// token: 429, retry after 1m0s
	// 0 is left
}
