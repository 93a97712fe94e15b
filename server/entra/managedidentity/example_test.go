package managedidentity_test

import (
	"fmt"
	"log"

	"mcpentra/server/entra"
	"mcpentra/server/entra/managedidentity"
)

// A registration proves itself by the identity of the machine, so its configuration has no secret.
func Example() {
	credential, err := managedidentity.New(managedidentity.Config{Identity: managedidentity.System})
	if err != nil {
		log.Fatal(err)
	}
	_, err = entra.New(entra.Config{
		TenantID:    "5a1e0001-0000-4000-8000-000000000001",
		ClientID:    "5a1e0002-0000-4000-8000-000000000001",
		Credential:  credential,
		RedirectURI: "https://mcp.example.com/auth/callback",
	})
	fmt.Println(err)
	// Output: <nil>
}
