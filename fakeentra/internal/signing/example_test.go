package signing_test

import (
	"fmt"
	"time"

	"mcpentra/fakeentra/internal/signing"
)

func Example() {
	keys := signing.NewKeys()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	token := signing.JWT(map[string]any{
		"aud": "api://files",
		"exp": now.Add(time.Hour).Unix(),
	}, false, keys.Active())
	claims, err := keys.Verify(token, now)
	fmt.Println(claims["aud"], err)
	_, err = keys.Verify(token, now.Add(time.Hour))
	fmt.Println(err)
	// Output:
	// api://files <nil>
	// expired
}
