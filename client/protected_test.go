package client_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"mcpentra/client/signin"
	"mcpentra/fakeentra"
	"mcpentra/fakeentra/useragent"
	"mcpentra/server"
	"mcpentra/server/entra"
)

// protectedServer is the server of this repository in front of a fake of Entra ID, and a person who
// approves.
func protectedServer() (serverURL string, person signin.Browser, stop func()) {
	fake := fakeentra.NewServer(fakeentra.Config{})
	var protected http.Handler
	listening := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protected.ServeHTTP(w, r)
	}))
	_, port, _ := strings.Cut(listening.Listener.Addr().String(), ":")
	tenant := fake.Tenant()
	var err error
	protected, err = server.New(context.Background(), server.Config{
		PublicURL: "http://localhost:" + port,
		Entra: entra.Config{
			Authority:           fake.URL,
			TenantID:            tenant.ID,
			ClientID:            tenant.Apps[0].ID,
			ClientSecret:        tenant.Apps[0].Secrets[0],
			HTTPClient:          fake.Client(),
			TrustPublicFakeKeys: true,
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	listening.Start()
	return "http://localhost:" + port + "/mcp", approving, func() { listening.Close(); fake.Close() }
}

// approving is a person with a browser of their own, who says yes to everything.
func approving(ctx context.Context, address string) error {
	browser := useragent.Browser{}
	page, err := browser.Visit(ctx, address)
	if err != nil {
		return err
	}
	if page.Status != http.StatusOK {
		return fmt.Errorf("the browser ended at a page with status %d: %s", page.Status, page.Text)
	}
	return nil
}
