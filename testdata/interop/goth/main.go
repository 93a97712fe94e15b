// Gothclient signs in with the Entra ID provider of goth. The provider knows only Microsoft's
// hosts, so a transport leads them to the fake whose address is in FAKE.
package main

import (
	"fmt"
	"net/http"
	"net/url"
	"os"

	"github.com/markbates/goth/providers/azureadv2"
)

// A redirected transport sends each request to another host.
type redirected struct{ to *url.URL }

func (r redirected) RoundTrip(request *http.Request) (*http.Response, error) {
	sent := request.Clone(request.Context())
	sent.URL.Scheme = r.to.Scheme
	sent.URL.Host = r.to.Host
	return http.DefaultTransport.RoundTrip(sent)
}

func main() {
	if err := signIn(); err != nil {
		fmt.Fprintln(os.Stderr, "gothclient:", err)
		os.Exit(1)
	}
}

func signIn() error {
	fake, err := url.Parse(os.Getenv("FAKE"))
	if err != nil {
		return err
	}
	browser := &http.Client{
		Transport:     redirected{fake},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	provider := azureadv2.New(os.Getenv("CLIENT"), os.Getenv("SECRET"), "http://localhost:8000/auth/callback",
		azureadv2.ProviderOptions{
			Tenant: azureadv2.TenantType(os.Getenv("TENANT")),
			Scopes: []azureadv2.ScopeType{azureadv2.UserReadScope},
		})
	provider.HTTPClient = browser
	session, err := provider.BeginAuth("state")
	if err != nil {
		return err
	}
	address, err := session.GetAuthURL()
	if err != nil {
		return err
	}
	answer, err := browser.Get(address)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	back, err := answer.Location()
	if err != nil {
		return fmt.Errorf("no redirect from the sign-in, but status %d: %w", answer.StatusCode, err)
	}
	if _, err := session.Authorize(provider, back.Query()); err != nil {
		return err
	}
	user, err := provider.FetchUser(session)
	if err != nil {
		return err
	}
	fmt.Println("signed in:", user.Name, user.Email)
	return nil
}
