package redis_test

import (
	"context"
	"fmt"

	"mcpentra/server/store/redis"
)

// Example refuses to send records over a network without encryption.
func Example() {
	_, err := redis.Open(context.Background(), redis.Config{URL: "redis://mcp:secret@192.0.2.1/0"})
	fmt.Println(err)
	// Output:
	// store: redis: 192.0.2.1:6379 is not on loopback: use rediss, or plaintext=yes behind ?
}
