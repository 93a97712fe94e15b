package vocabulary_test

import (
	"fmt"

	"mcpentra/conformance/servers/internal/vocabulary"
)

// The first header in which a proxy passes on an identity.
func ExampleOf() {
	name := vocabulary.Of(vocabulary.Identity)[0]
	fmt.Printf("%s: %s\n", name.Name, name.Value)
	// Output: X-Forwarded-User: admin
}
