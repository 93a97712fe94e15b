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
		ID:                "5a1e0004-0000-4000-8000-000000000003",
		UserPrincipalName: "MeganB@" + directory.DefaultDomain,
		DisplayName:       "Megan Bowen",
	})
	fmt.Println(d.Check(), tenant.User("meganb@contoso.onmicrosoft.com").DisplayName)
	tenant.Users[2].ID = "three"
	fmt.Println(d.Check())
	// Output:
	// <nil> Megan Bowen
	// directory: user "MeganB@contoso.onmicrosoft.com": want a unique GUID as ID, got "three"
}

// A directory file that says little: IDs are made from the names.
func ExampleParse() {
	file, err := directory.Parse("directory.yaml", []byte(`
tenants:
  - domains: [fabrikam.onmicrosoft.com]
    apps:
      - displayName: MCP server
        web: ["http://localhost:8000/auth/callback"]
        secrets: [a secret of the fake]
    users:
      - userPrincipalName: pat@fabrikam.onmicrosoft.com
        displayName: Pat
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(file.Tenants[0].Apps[0].ID, file.Tenants[0].Users[0].DisplayName)
	_, err = directory.Parse("directory.yaml", []byte("tenants:\n  - domain: fabrikam.onmicrosoft.com"))
	fmt.Println(err)
	// Output:
	// d04dbc00-6b59-5d85-91e9-11536d68a5ae Pat
	// directory.yaml:2: unknown key "domain"; perhaps "domains"
}
