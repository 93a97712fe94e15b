package rig_test

import (
	"context"
	"fmt"

	"mcpentra/conformance/servers"
	"mcpentra/conformance/servers/rig"
)

// The operator makes the server trust issuer.URL.
func Example() {
	issuer, err := rig.Listen(rig.Config{Address: "127.0.0.1:0", Audience: "http://localhost:8000/mcp"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer issuer.Close()
	target := servers.Target{URL: "http://localhost:8000/mcp"}
	issuer.Fill(&target)
	_, err = target.Tokens[servers.Expired](context.Background())
	fmt.Println(target.Mint != nil, err)
	// Output: true <nil>
}
