package loopback_test

import (
	"fmt"

	"mcpentra/server/loopback"
)

func ExampleIsHost() {
	for _, host := range []string{"localhost", "127.0.0.1", "::1", "localhost.example.com"} {
		fmt.Println(host, loopback.IsHost(host))
	}
	// Output:
	// localhost true
	// 127.0.0.1 true
	// ::1 true
	// localhost.example.com false
}
