package admin_test

import (
	"fmt"
	"net/http/httptest"
	"strings"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/admin"
)

// What a test in another language sends: a fault, and then a look at the script.
func Example() {
	fake, err := fakeentra.New(fakeentra.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	server := httptest.NewServer(admin.Handler(fake))
	defer server.Close()
	response, err := server.Client().Post(
		server.URL+"/faults",
		"application/json",
		strings.NewReader(`{"on": "token", "status": 429, "retryAfter": "60s"}`),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer response.Body.Close()
	fmt.Println(response.StatusCode, fake.Script().Unused()[0].Fault.String())
	// Output: 200 token: 429, retry after 1m0s
}
