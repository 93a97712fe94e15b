package server_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"

	"mcpentra/fakeentra"
	"mcpentra/server"
	"mcpentra/server/broker"
	"mcpentra/server/entra"
	"mcpentra/server/guard"
	"mcpentra/server/store"
)

// Example puts a handler behind the guard. A request without a token gets a challenge that names
// the metadata.
func Example() {
	fake, err := fakeentra.New(fakeentra.Config{})
	if err != nil {
		log.Fatal(err)
	}
	tenant := fake.Tenant()
	mcp, err := server.New(context.Background(), server.Config{
		PublicURL: "http://localhost:8000",
		Entra: entra.Config{
			TenantID:            tenant.ID,
			ClientID:            tenant.Apps[0].ID,
			ClientSecret:        tenant.Apps[0].Secrets[0],
			HTTPClient:          fake.Client(),
			TrustPublicFakeKeys: true,
		},
		MCP: http.HandlerFunc(hello),
	})
	if err != nil {
		log.Fatal(err)
	}
	answer := httptest.NewRecorder()
	mcp.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "http://localhost:8000/mcp", nil))
	fmt.Println(answer.Code)
	fmt.Println(answer.Header().Get("WWW-Authenticate"))
	// Output:
	// 401
	// Bearer resource_metadata="http://localhost:8000/.well-known/oauth-protected-resource/mcp", scope="user.read"
}

func hello(w http.ResponseWriter, r *http.Request) {
	caller, _ := guard.FromContext(r.Context())
	fmt.Fprintf(w, "hello %s of tenant %s", caller.Name, caller.TenantID)
}

// Example_ownHandler serves your own handler.
func Example_ownHandler() {
	mcp, err := server.New(context.Background(), server.Config{
		PublicURL: "http://localhost:8000",
		Entra: entra.Config{
			Authority:    os.Getenv("AUTH_AUTHORITY"), // empty means login.microsoftonline.com
			TenantID:     os.Getenv("AUTH_TENANT_ID"),
			ClientID:     os.Getenv("AUTH_CLIENT_ID"),
			ClientSecret: os.Getenv("AUTH_CLIENT_SECRET"),
		},
		MCP:    http.HandlerFunc(hello),
		Logger: slog.Default(),
	})
	if err != nil {
		log.Fatal(err)
	}
	go mcp.Watch(context.Background()) // asks Entra whether tenant, client ID and secret are right
	log.Fatal(http.ListenAndServe("localhost:8000", mcp))
}

// Example_keptGrants keeps grants in a file, so that people stay signed in when the program
// restarts.
func Example_keptGrants() {
	ctx := context.Background()
	var config server.Config
	var keysText string // from broker.NewKeysText, kept where only this program can read it

	keys, err := broker.ReadKeys(keysText)
	if err != nil {
		log.Fatal(err)
	}
	grants, err := store.OpenFile(ctx, "/var/lib/mcp/grants.db", store.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer grants.Close()
	config.Store = grants
	config.Keys = keys
}
