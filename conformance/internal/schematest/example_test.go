package schematest_test

import (
	"fmt"

	"mcpentra/conformance/internal/schematest"
)

func ExampleClosed() {
	schema, err := schematest.Closed([]byte(`{"type": "object", "properties": {"version": {"const": 1}}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(schema.Validate(`{"version": 1}`) == nil)
	fmt.Println(schema.Validate(`{"version": 2}`) == nil)
	fmt.Println(schema.Validate(`{"version": 1, "author": "x"}`) == nil)
	// Output:
	// true
	// false
	// false
}
