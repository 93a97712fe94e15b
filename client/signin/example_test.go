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

// Example opens an authorization page and waits for the response. In place of a browser, approve
// sends the response of an authorization server.
func Example() {
	callback, err := signin.Listen("http://localhost/callback") // any free port
	if err != nil {
		log.Fatal(err)
	}
	defer callback.Close()
	authorization, err := signin.Begin(signin.Request{
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
	callback.Serve(authorization.State)
	if err := approve(authorization.URL); err != nil {
		log.Fatal(err)
	}
	params, err := callback.Wait(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	response, err := authorization.ReadResponse(params)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("code", response.Code, "with a verifier of", len(response.Verifier), "characters")
	// Output:
	// code c-1 with a verifier of 43 characters
}

func approve(page string) error {
	address, err := url.Parse(page)
	if err != nil {
		return err
	}
	request := address.Query()
	params := url.Values{"code": {"c-1"}, "state": {request.Get("state")}, "iss": {"https://login.example.com"}}
	response, err := http.Get(request.Get("redirect_uri") + "?" + params.Encode())
	if err != nil {
		return err
	}
	return response.Body.Close()
}
