package guard_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"mcpentra/server/guard"
	"mcpentra/server/identity"
	"mcpentra/server/token"
)

func Example() {
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, _ := guard.FromContext(r.Context())
		fmt.Fprintf(w, "hello %s", caller.Name)
	})
	g, err := guard.New(guard.Config{
		Resource:             "http://localhost:8000/mcp",
		AuthorizationServers: []string{"http://localhost:8000"},
		Scopes:               []string{"user.read"},
		Verify: func(_ context.Context, raw string) (*identity.Caller, error) {
			if raw != "a-good-token" {
				return nil, token.NewInvalidError(token.BadSignature)
			}
			return &identity.Caller{Name: "Adele", Scopes: []string{"user.read"}}, nil
		},
	}, hello)
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/mcp", g)
	mux.Handle(g.MetadataPath(), g.Metadata())

	for _, credentials := range []string{"", "Bearer a-good-token"} {
		r := httptest.NewRequest(http.MethodGet, "http://localhost:8000/mcp", nil)
		if credentials != "" {
			r.Header.Set("Authorization", credentials)
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Header().Get("WWW-Authenticate"))
	}
	// Output:
	// 401 Bearer resource_metadata="http://localhost:8000/.well-known/oauth-protected-resource/mcp", scope="user.read"
	// 200
}
