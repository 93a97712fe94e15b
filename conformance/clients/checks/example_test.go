package checks_test

import (
	"fmt"

	"mcpentra/conformance/clients/checks"
)

// Every check says what it holds a client to, and what of the catalogue it covers.
func Example() {
	for _, check := range checks.All() {
		if check.ID == "client/pkce/gate" {
			fmt.Println(check.Level, check.Covers)
			fmt.Println(check.Sentence)
		}
	}
	// Output:
	// MUST [client-pkce-refuse-unadvertised CL-007]
	// A client refuses to go on where the metadata does not say that the authorization server does PKCE.
}
