package tokenrequest_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"mcpentra/client/tokenrequest"
)

// Example redeems an authorization code. Later it sends the refresh token, and the server refuses
// it, because the owner has ended the grant.
func Example() {
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.FormValue("grant_type") == "authorization_code" {
			fmt.Fprint(w, `{"access_token":"a-1","token_type":"Bearer","expires_in":600,`+
				`"refresh_token":"r-1","scope":"files.read"}`)
			return
		}
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":"invalid_grant","error_description":"the owner has withdrawn it"}`)
	}))
	defer issuer.Close()
	ctx := context.Background()

	const resource = "https://mcp.example.com/mcp"
	endpoint := tokenrequest.Endpoint{URL: issuer.URL + "/token", Client: tokenrequest.Client{ID: "f5a3"}}
	token, err := endpoint.Redeem(ctx, "c-1", "the verifier", "http://localhost:3000/callback", resource)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(token.Scopes)

	_, err = endpoint.Refresh(ctx, token.Refresh, resource)
	var refused *tokenrequest.Error
	if errors.As(err, &refused) && refused.Code == "invalid_grant" {
		fmt.Println("sign in again:", refused)
	}
	// Output:
	// [files.read]
	// sign in again: invalid_grant: the owner has withdrawn it
}
