package fakeentra_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

// A fake without a listener: its client answers for https://login.microsoftonline.com and
// https://graph.microsoft.com, and for no other host.
func Example() {
	fake, err := fakeentra.New(fakeentra.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	response, err := fake.Client().
		Get("https://login.microsoftonline.com/contoso.onmicrosoft.com/v2.0/.well-known/openid-configuration")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer response.Body.Close()
	var document struct {
		Issuer string   `json:"issuer"`
		PKCE   []string `json:"code_challenge_methods_supported"`
	}
	if err := json.NewDecoder(response.Body).Decode(&document); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(document.Issuer)
	fmt.Println("PKCE methods advertised:", len(document.PKCE))
	// Output:
	// https://login.microsoftonline.com/5a1e0001-0000-4000-8000-000000000001/v2.0
	// PKCE methods advertised: 0
}

// A fake that listens, and golang.org/x/oauth2 against it.
func ExampleNewServer() {
	fake := fakeentra.NewServer(fakeentra.Config{})
	defer fake.Close()
	config := clientcredentials.Config{
		ClientID:     directory.DefaultClientID,
		ClientSecret: "not the secret",
		TokenURL:     fake.URL + "/" + directory.DefaultTenantID + "/oauth2/v2.0/token",
		Scopes:       []string{"https://graph.microsoft.com/.default"},
		AuthStyle:    oauth2.AuthStyleInParams,
	}
	_, err := config.Token(context.Background())
	fmt.Println(err.(*oauth2.RetrieveError).ErrorCode)
	config.ClientSecret = directory.DefaultClientSecret
	token, err := config.Token(context.Background())
	fmt.Println(token.TokenType, err)
	http.DefaultClient.CloseIdleConnections()
	// Output:
	// invalid_client
	// Bearer <nil>
}

// A token without the dance, with a claim changed.
func ExampleFake_Mint() {
	fake, err := fakeentra.New(fakeentra.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	token, err := fake.Mint(fakeentra.Token{
		Scopes: []string{"tool.read"},
		Edit:   func(claims map[string]any) { claims["tid"] = "another tenant" },
	})
	fmt.Println(token != "", err)
	// Output: true <nil>
}

// Without a page: the fake signs in the user of login_hint.
func ExampleConfig_autoSignIn() {
	fake, err := fakeentra.New(fakeentra.Config{AutoSignIn: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	client := fake.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	query := url.Values{
		"client_id":     {directory.DefaultClientID},
		"response_type": {"code"},
		"scope":         {"openid"},
		"state":         {"s"},
		"redirect_uri":  {"http://localhost:8000/auth/callback"},
		"login_hint":    {"AlexW@contoso.onmicrosoft.com"},
	}
	response, err := client.Get(
		"https://login.microsoftonline.com/" + directory.DefaultTenantID + "/oauth2/v2.0/authorize?" + query.Encode(),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer response.Body.Close()
	back, err := response.Location()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(response.StatusCode, back.Host+back.Path, back.Query().Get("state"), back.Query().Has("code"))
	// Output: 302 localhost:8000/auth/callback s true
}
