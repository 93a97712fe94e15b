package directory_test

import (
	"fmt"

	"mcpentra/fakeentra/directory"
)

// The default directory with one more person.
func Example() {
	d := directory.Default()
	tenant := &d.Tenants[0]
	tenant.Users = append(tenant.Users, directory.User{
		ID: "5a1e0004-0000-4000-8000-000000000003", UserPrincipalName: "MeganB@" + directory.DefaultDomain, DisplayName: "Megan Bowen",
	})
	fmt.Println(d.Check(), tenant.User("meganb@contoso.onmicrosoft.com").DisplayName)
	tenant.Users[2].ID = "three"
	fmt.Println(d.Check())
	// Output:
	// <nil> Megan Bowen
	// directory: user "MeganB@contoso.onmicrosoft.com": want a GUID of its own as ID, got "three"
}
