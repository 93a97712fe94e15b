package tools_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"mcpentra/server/entra"
	"mcpentra/server/guard"
	"mcpentra/server/identity"
	"mcpentra/server/internal/tools"
)

// The tools with a caller that is already known. In a server, package guard puts the caller into
// the context, and [entra.Client.Me] asks Graph.
func Example() {
	handler := tools.Handler(tools.Config{
		GraphToken: func(context.Context, *identity.Caller) (string, error) { return "a-graph-token", nil },
		Me: func(context.Context, string) (*entra.Profile, error) {
			return &entra.Profile{ID: "1", DisplayName: "Adele Vance"}, nil
		},
	})
	r := httptest.NewRequest(http.MethodPost, "/mcp", bytes.NewBufferString(
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_user_name"}}`))
	r.Header.Set("Content-Type", "application/json")
	r = r.WithContext(guard.NewContext(r.Context(), &identity.Caller{Name: "Adele Vance"}))
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	fmt.Println(w.Code, bytes.Contains(w.Body.Bytes(), []byte("User name is Adele Vance")))
	// Output: 200 true
}
