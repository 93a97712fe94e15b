package storetest_test

import (
	"fmt"
	"testing"

	"mcpentra/server/store"
	"mcpentra/server/store/storetest"
)

// Example shows the test of a new store.
func Example() {
	test := func(t *testing.T) {
		storetest.Run(t, func(_ *testing.T, config store.Config) store.Store { return store.NewMemory(config) })
	}
	fmt.Printf("%T\n", test)
	// Output: func(*testing.T)
}
