package facts_test

import (
	"fmt"

	"mcpentra/fakeentra/internal/verify/facts"
)

func ExampleFill() {
	address, err := facts.Fill("{authority}/{tenant}/oauth2/v2.0/token", map[string]string{
		"authority": "https://login.microsoftonline.com",
		"tenant":    "contoso.onmicrosoft.com",
	})
	fmt.Println(address, err)
	// Output: https://login.microsoftonline.com/contoso.onmicrosoft.com/oauth2/v2.0/token <nil>
}
