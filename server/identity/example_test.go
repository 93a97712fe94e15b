package identity_test

import (
	"fmt"

	"mcpentra/server/identity"
)

func ExampleCaller() {
	notes := map[identity.Principal]string{}
	caller := &identity.Caller{
		Principal: identity.Principal{
			Issuer:   "https://login.microsoftonline.com/tenant/v2.0",
			TenantID: "tenant",
			ObjectID: "adele",
		},
		Name: "Adele Vance",
	}
	notes[caller.Principal] = "buy milk"
	fmt.Println(caller.Name+":", notes[caller.Principal])
	// Output: Adele Vance: buy milk
}
