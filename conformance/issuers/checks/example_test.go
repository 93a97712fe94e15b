package checks_test

import (
	"fmt"

	"mcpentra/conformance/issuers/checks"
)

// Every check is a literal with its rule and the source of the rule.
func Example() {
	for _, check := range checks.All() {
		if check.ID == "authorization-server/metadata/published" {
			fmt.Println(check.Level)
			fmt.Println(check.Sentence)
		}
	}
	// Output:
	// MUST
	// Metadata is published where clients look for it.
}
