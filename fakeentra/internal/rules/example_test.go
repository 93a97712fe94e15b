package rules_test

import (
	"fmt"

	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/internal/rules"
)

func Example() {
	d := directory.Default()
	entra := rules.Rules{Directory: &d}
	tenant := &d.Tenants[0]
	client := tenant.App(directory.DefaultClientID)
	asked, problem := entra.Resolve(tenant, client, "openid User.Read", false)
	if problem != nil {
		panic(problem)
	}
	fmt.Println(asked.OIDC, asked.Group().App.DisplayName, asked.Group().Names)
	_, problem = entra.Resolve(tenant, client, "api://unknown/read", false)
	fmt.Println(problem.Number)
	// Output:
	// [openid] Microsoft Graph [User.Read]
	// 500011
}
