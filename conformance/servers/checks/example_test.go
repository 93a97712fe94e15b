package checks_test

import (
	"fmt"

	"mcpentra/conformance/servers/checks"
)

// Every check is a literal that says what it holds a server to, and where that stands.
func Example() {
	for _, check := range checks.All() {
		if check.ID == "server/token/expired" {
			fmt.Println(check.Level)
			fmt.Println(check.Sentence)
		}
	}
	// Output:
	// MUST
	// A token that has expired is refused.
}
