package broker_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"mcpentra/fakeentra"
	"mcpentra/server/broker"
	"mcpentra/server/entra"
	"mcpentra/server/store"
)

// Example makes an authorization server in front of a fake Entra ID that needs no port.
func Example() {
	ctx := context.Background()
	fake, err := fakeentra.New(fakeentra.Config{})
	if err != nil {
		panic(err)
	}
	tenant := fake.Tenant()
	client, err := entra.New(entra.Config{
		TenantID:            tenant.ID,
		ClientID:            tenant.Apps[0].ID,
		ClientSecret:        tenant.Apps[0].Secrets[0],
		RedirectURI:         "http://localhost:8000/auth/callback",
		HTTPClient:          fake.Client(),
		TrustPublicFakeKeys: true,
	})
	if err != nil {
		panic(err)
	}
	b, err := broker.New(ctx, broker.Config{
		Issuer:   "http://localhost:8000",
		Resource: "http://localhost:8000/mcp",
		Entra:    client,
		Store:    store.NewMemory(store.Config{}),
	})
	if err != nil {
		panic(err)
	}
	body := strings.NewReader(`{"redirect_uris": ["http://example.com/cb"]}`)
	request := httptest.NewRequest(http.MethodPost, "/register", body)
	request.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	b.ServeHTTP(answer, request)
	fmt.Println(answer.Code)
	fmt.Println(strings.ReplaceAll(answer.Body.String(), ",", ",\n"))
	// Output:
	// 400
	// {"error":"invalid_redirect_uri",
	// "error_description":"a redirect URI is neither https nor http on a loopback address"}
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
