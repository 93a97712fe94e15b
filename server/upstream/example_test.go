package upstream_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"mcpentra/server/guard"
	"mcpentra/server/identity"
	"mcpentra/server/upstream"
)

// Example protects a server that does not check tokens.
func Example() {
	tools := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(
			w,
			"token: %q, caller named: %t",
			r.Header.Get("Authorization"),
			r.Header.Get(upstream.CallerHeader) != "",
		)
	}))
	defer tools.Close()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		fmt.Println(err)
		return
	}
	proxy, err := upstream.New(
		upstream.Config{URL: tools.URL + "/mcp", Issuer: "http://localhost:8000", Keys: []*ecdsa.PrivateKey{key}},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	g, err := guard.New(guard.Config{
		Resource:             "http://localhost:8000/mcp",
		AuthorizationServers: []string{"http://localhost:8000"},
		Verify: func(context.Context, string) (*identity.Caller, error) {
			return &identity.Caller{Name: "Adele"}, nil
		},
	}, proxy)
	if err != nil {
		fmt.Println(err)
		return
	}
	r := httptest.NewRequest(
		http.MethodPost,
		"http://localhost:8000/mcp",
		strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"ping"}`),
	)
	r.Header.Set("Authorization", "Bearer a-good-token")
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Body)
	// Output: 200 token: "", caller named: true
}
