package verify_test

import (
	"context"
	"fmt"

	"mcpentra/fakeentra/internal/verify"
	"mcpentra/fakeentra/internal/verify/facts"
)

func ExampleAsk() {
	side, pace, err := verify.NewFake("https://login.microsoftonline.com", verify.Settings{})
	if err != nil {
		fmt.Println(err)
		return
	}
	requests := []facts.Request{{Name: "keys", URL: "{authority}/common/discovery/v2.0/keys"}}
	answers := verify.Ask(context.Background(), requests, side, 0, pace)
	fmt.Println(answers["keys"].Exchange.URL, answers["keys"].Exchange.Status)
	// Output: {authority}/common/discovery/v2.0/keys 200
}
