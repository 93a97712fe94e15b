package state_test

import (
	"fmt"

	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/internal/state"
)

func Example() {
	d := directory.Default()
	tenant := &d.Tenants[0]
	memory := state.New()
	memory.SignIn("", "session-1", state.SignedIn{Tenant: tenant, User: &tenant.Users[0]})
	fmt.Println(memory.SignedIn("session-1", tenant).User.DisplayName == tenant.Users[0].DisplayName)
	memory.Reset()
	fmt.Println(memory.SignedIn("session-1", tenant))
	// Output:
	// true
	// <nil>
}
