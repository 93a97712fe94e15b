package checks_test

import (
	"fmt"

	"mcpentra/conformance/servers/checks"
)

// Every check is a literal with its rule and the source of the rule.
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
