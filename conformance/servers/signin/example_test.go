package signin_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"mcpentra/conformance/servers/signin"
)

// A server without metadata says nothing about where to sign in.
func Example() {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	person := signin.SignIn{
		URL:  server.URL + "/mcp",
		Open: func(context.Context, string) error { return nil },
	}
	_, err := person.Token(context.Background())
	fmt.Println(err != nil)
	// Output: true
}
