package checks_test

import (
	"fmt"

	"mcpentra/conformance/checks"
)

// Every check is a literal that says what it holds a server to, and where that stands.
func Example() {
	for _, check := range checks.All() {
		if check.ID == "server/token/expired" {
			fmt.Println(check.Level, check.Role)
			fmt.Println(check.Sentence)
		}
	}
	// Output:
	// MUST server
	// A token that has expired is refused.
}
