package claims_test

import (
	"fmt"
	"time"

	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/internal/claims"
	"mcpentra/fakeentra/internal/rules"
)

func Example() {
	d := directory.Default()
	tenant := &d.Tenants[0]
	maker := claims.Maker{
		Rules:  &rules.Rules{Directory: &d, Authority: "https://login.microsoftonline.com"},
		Now:    func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) },
		Random: func(n int) []byte { return make([]byte, n) },
	}
	token := maker.ID(&rules.Delegation{
		Version: rules.V2,
		Tenant:  tenant,
		Client:  tenant.App(directory.DefaultClientID),
		User:    &tenant.Users[0],
		Asked:   &rules.Permissions{OIDC: []string{"openid"}},
		Nonce:   "n-0S6",
	}, "", "")
	fmt.Println(token["ver"], token["nonce"], token["aud"] == directory.DefaultClientID)
	// Output: 2.0 n-0S6 true
}
