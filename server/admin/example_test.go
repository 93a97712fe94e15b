package admin_test

import (
	"fmt"

	"mcpentra/server/admin"
	"mcpentra/server/broker"
)

// Example makes the API of a broker. Package server makes it with Server.NewAdmin.
func Example() {
	var issuer *broker.Broker // of the server
	_, err := admin.New(admin.Config{
		Broker: issuer,
		Secret: func() (string, error) { return "read from a file of mode 0600", nil },
	})
	fmt.Println(err)
	// Output: admin: Broker and Secret are required
}
