package loopbacktest_test

import (
	"fmt"
	"net"
	"testing"

	"mcpentra/conformance/loopback/loopbacktest"
)

// Example tests that a client reports a server that is gone.
func Example() {
	test := func(t *testing.T) {
		address := "127.0.0.1:" + loopbacktest.Port(t)
		if _, err := net.Dial("tcp", address); err == nil {
			t.Error("want an error")
		}
	}
	fmt.Printf("%T\n", test)
	// Output: func(*testing.T)
}
