package graph_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/internal/graph"
)

// handler knows three tokens: a person's, an app's, and a person's without User.Read.
func handler() http.Handler {
	tenant := &directory.Default().Tenants[0]
	user := tenant.Users[0]
	return graph.Handler(graph.Config{
		Caller: func(_ context.Context, token string) (*graph.Caller, error) {
			switch token {
			case "person.token":
				return &graph.Caller{Tenant: tenant, User: &user, Scopes: []string{"User.Read"}}, nil
			case "narrow.token":
				return &graph.Caller{Tenant: tenant, User: &user, Scopes: []string{"openid"}}, nil
			case "app.token":
				return &graph.Caller{}, nil
			}
			return nil, errors.New("unknown")
		},
		Now:   func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) },
		NewID: func() string { return "5a1e0009-0000-4000-8000-000000000001" },
	})
}

func me(authorization string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(http.MethodGet, "/v1.0/me", nil)
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	answer := httptest.NewRecorder()
	handler().ServeHTTP(answer, request)
	return answer
}

func Example() {
	answer := me("Bearer person.token")
	var profile struct {
		DisplayName string `json:"displayName"`
		Mobile      any    `json:"mobilePhone"`
	}
	err := json.Unmarshal(answer.Body.Bytes(), &profile)
	fmt.Println(answer.Code, profile.DisplayName, profile.Mobile, err)
	// Output: 200 Adele Vance <nil> <nil>
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name          string
		authorization string
		status        int
		code          string
	}{
		{"no token", "", 401, "InvalidAuthenticationToken"},
		{"another scheme", "Basic person", 401, "InvalidAuthenticationToken"},
		{"an unknown token", "Bearer gu.ess", 401, "InvalidAuthenticationToken"},
		{"an app", "Bearer app.token", 400, "BadRequest"},
		{"without User.Read", "Bearer narrow.token", 403, "Authorization_RequestDenied"},
	} {
		t.Run(test.name, func(t *testing.T) {
			answer := me(test.authorization)
			assert.Equal(t, test.status, answer.Code)
			var body struct {
				Error struct {
					Code  string `json:"code"`
					Inner struct {
						Date    string `json:"date"`
						Request string `json:"request-id"`
					} `json:"innerError"`
				} `json:"error"`
			}
			require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &body))
			assert.Equal(t, test.code, body.Error.Code)
			assert.Equal(t, "2026-01-02T03:04:05", body.Error.Inner.Date)
			assert.Equal(t, "5a1e0009-0000-4000-8000-000000000001", body.Error.Inner.Request)
			assert.Equal(t, test.status == 401, answer.Header().Get("WWW-Authenticate") != "")
		})
	}
}
