package checks_test

import (
	"fmt"

	"mcpentra/conformance/clients/checks"
)

// Every check has its rule, and names the entries of the catalogue that it covers.
func Example() {
	for _, check := range checks.All() {
		if check.ID == "client/pkce/gate" {
			fmt.Println(check.Level, check.Covers)
			fmt.Println(check.Sentence)
		}
	}
	// Output:
	// MUST [client-pkce-refuse-unadvertised CL-007]
	// A client refuses to continue if the metadata does not announce PKCE.
}
