package entra_test

import (
	"context"
	"fmt"
	"net/url"

	"golang.org/x/oauth2"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
	"mcpentra/server/entra"
)

// A client for the registration of the fake's tenant. For a real one, leave out HTTPClient and
// TrustPublicFakeKeys.
func Example() {
	fake, err := fakeentra.New(fakeentra.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := entra.New(entra.Config{
		TenantID:            directory.DefaultTenantID,
		ClientID:            directory.DefaultClientID,
		ClientSecret:        directory.DefaultClientSecret,
		RedirectURI:         "http://localhost:8000/auth/callback",
		HTTPClient:          fake.Client(),
		TrustPublicFakeKeys: true,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	if err := client.Check(ctx); err != nil {
		fmt.Println(err)
		return
	}
	verifier := oauth2.GenerateVerifier()
	address, err := client.AuthorizationURL(ctx, entra.AuthorizationRequest{
		State:         "a-fresh-state",
		Nonce:         "a-fresh-nonce",
		CodeChallenge: oauth2.S256ChallengeFromVerifier(verifier),
		Scopes:        []string{"User.Read"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	u, _ := url.Parse(address)
	fmt.Println("sign in at", u.Host, "for", u.Query().Get("scope"))
	// Output: sign in at login.microsoftonline.com for openid profile offline_access User.Read
}

func ExampleAdvice() {
	fmt.Println(entra.Advice(700016))
	// Output: AUTH_CLIENT_ID is not an application of the tenant in AUTH_TENANT_ID: compare both with the app registration's overview page
}
