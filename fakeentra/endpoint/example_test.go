package endpoint_test

import (
	"fmt"

	"mcpentra/fakeentra/endpoint"
)

// One name for an endpoint, whatever the tenant and the version.
func Example() {
	fmt.Println(
		endpoint.Of("/common/oauth2/v2.0/token"),
		endpoint.Of("/contoso.onmicrosoft.com/oauth2/token"),
		endpoint.Of("/favicon.ico"),
	)
	// Output: token token other
}
