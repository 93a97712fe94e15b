package catalogue_test

import (
	"fmt"

	"mcpentra/conformance/catalogue"
)

// Print entries of the catalogue.
func Example() {
	for _, id := range []string{"server-401-no-token", "server-session-user-bound", "RS-101"} {
		entry, _ := catalogue.Find(id)
		fmt.Printf("%s (%s): %s\n", entry.ID, entry.Level, entry.Sentence)
		if entry.Elsewhere != "" {
			fmt.Println("  no check:", entry.Elsewhere)
		}
	}
	// Output:
	// server-401-no-token (MUST): A request without a token is answered with 401.
	// server-session-user-bound (SHOULD): A session belongs to its user.
	// RS-101 (attack): Scopes of single tools.
	//   no check: rules for single tools are up to the operator, and no server needs any
}
