package rig_test

import (
	"fmt"

	"mcpentra/conformance/issuers"
	"mcpentra/conformance/issuers/rig"
)

// The operator makes the authorization server sign people in at provider.URL.
func Example() {
	provider, err := rig.Listen(rig.Config{Address: "127.0.0.1:0"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer provider.Close()
	target := issuers.Target{URL: "http://localhost:9000", Upstream: provider}
	fmt.Println(target.Upstream == provider)
	// Output: true
}
