package managedidentity_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/internal/managedidentity"
)

func Example() {
	d := directory.Default()
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	handler := managedidentity.Handler(managedidentity.Config{
		Directory: &d,
		Secret:    "secret",
		Token: func(
			_ *directory.Tenant,
			identity *directory.ManagedIdentity,
			resource string,
		) (managedidentity.Token, *aadsts.Error) {
			value := "token of " + identity.DisplayName + " for " + resource
			return managedidentity.Token{Value: value, NotBefore: now, Expiry: now.Add(time.Hour)}, nil
		},
		Describe: func(_ *http.Request, problem *aadsts.Error) string { return problem.Error() },
		Now:      func() time.Time { return now },
		NewID:    func() string { return "5a1e0009-0000-4000-8000-000000000001" },
	})
	const query = "?api-version=2019-08-01&resource=https://api.example"
	request := httptest.NewRequest(http.MethodGet, "/msi/token"+query, nil)
	request.RemoteAddr = "127.0.0.1:1"
	request.Header.Set("X-IDENTITY-HEADER", "secret")
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, request)
	var body struct {
		Token string `json:"access_token"`
	}
	err := json.Unmarshal(answer.Body.Bytes(), &body)
	fmt.Println(answer.Code, body.Token, err)
	// Output: 200 token of MCP host for https://api.example <nil>
}
