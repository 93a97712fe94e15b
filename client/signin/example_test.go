package signin_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/url"

	"mcpentra/client/discovery"
	"mcpentra/client/signin"
	"mcpentra/client/tokenrequest"
)

// Example opens an authorization page, and waits for what comes back. The browser here is an
// authorization server as well: it approves at once.
func Example() {
	callback, err := signin.Listen("http://localhost/callback") // any free port
	if err != nil {
		log.Fatal(err)
	}
	defer callback.Close()
	pending, err := signin.Begin(signin.Request{
		Issuer: &discovery.Issuer{
			Issuer:                "https://login.example.com",
			AuthorizationEndpoint: "https://login.example.com/authorize",
			IssInResponse:         true,
		},
		Client:      tokenrequest.Client{ID: "f5a3"},
		RedirectURI: callback.RedirectURI,
		Resource:    "https://mcp.example.com/mcp",
		Scopes:      []string{"files.read"},
	})
	if err != nil {
		log.Fatal(err)
	}
	callback.Serve(pending.State)
	if err := approve(pending.URL); err != nil {
		log.Fatal(err)
	}
	params, err := callback.Wait(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	answer, err := pending.Read(params)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("code", answer.Code, "to be redeemed with a verifier of", len(answer.Verifier), "characters")
	// Output:
	// code c-1 to be redeemed with a verifier of 43 characters
}

func approve(page string) error {
	opened, err := url.Parse(page)
	if err != nil {
		return err
	}
	asked := opened.Query()
	answer := url.Values{"code": {"c-1"}, "state": {asked.Get("state")}, "iss": {"https://login.example.com"}}
	response, err := http.Get(asked.Get("redirect_uri") + "?" + answer.Encode())
	if err != nil {
		return err
	}
	return response.Body.Close()
}
