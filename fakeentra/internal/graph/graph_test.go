package graph_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/internal/graph"
)

// Object IDs of the test tenant.
const (
	adeleID  = directory.DefaultUserID
	innerID  = "5a1e0005-0000-4000-8000-000000000001"
	outerID  = "5a1e0005-0000-4000-8000-000000000002"
	nobodyID = "5a1e0009-0000-4000-8000-000000000009"
)

// graphTenant has ten people, and a group inside another.
func graphTenant() *directory.Tenant {
	tenant := directory.Default().Tenants[0]
	for i := range 8 {
		tenant.Users = append(tenant.Users, directory.User{
			ID:                fmt.Sprintf("5a1e0004-0000-4000-8000-0000000001%02d", i),
			UserPrincipalName: fmt.Sprintf("extra%d@contoso.onmicrosoft.com", i),
			DisplayName:       fmt.Sprintf("Extra %d", i),
			Disabled:          i == 0,
		})
	}
	tenant.Users[0].Photo = true
	tenant.Groups = []directory.Group{
		{ID: innerID, DisplayName: "Tool makers", Members: []string{adeleID}},
		{ID: outerID, DisplayName: "Engineering", Members: []string{innerID, tenant.Users[1].ID}},
	}
	return &tenant
}

// A tester sends requests with a token whose text lists the bearer and the permissions, for example
// "person.User.Read" or "app.User.Read.All,Group.Read.All".
type tester struct {
	t      *testing.T
	tenant *directory.Tenant
	graph  http.Handler
	header http.Header
}

func newTester(t *testing.T, pageSize int) *tester {
	tenant := graphTenant()
	s := &tester{t: t, tenant: tenant, header: http.Header{}}
	s.graph = graph.Handler(graph.Config{
		Caller: func(_ context.Context, token string) (*graph.Caller, error) {
			bearer, permissions, _ := strings.Cut(token, ".")
			caller := &graph.Caller{Tenant: tenant}
			if bearer == "app" {
				caller.Roles = strings.Split(permissions, ",")
			} else {
				caller.User = &tenant.Users[0]
				caller.Scopes = strings.Split(permissions, ",")
			}
			return caller, nil
		},
		Now:      func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) },
		NewID:    func() string { return nobodyID },
		PageSize: func() int { return pageSize },
	})
	return s
}

// send sends a request. A body makes it a POST.
func (s *tester) send(token, address, body string) *httptest.ResponseRecorder {
	method := http.MethodGet
	if body != "" {
		method = http.MethodPost
	}
	r := httptest.NewRequest(method, strings.ReplaceAll(address, " ", "%20"), strings.NewReader(body))
	r.Header = s.header.Clone()
	r.Header.Set("Authorization", "Bearer "+token)
	answer := httptest.NewRecorder()
	s.graph.ServeHTTP(answer, r)
	return answer
}

// A page is a page of a collection.
type page struct {
	Context string           `json:"@odata.context"`
	Count   *int             `json:"@odata.count"`
	Next    string           `json:"@odata.nextLink"`
	Value   []map[string]any `json:"value"`
}

// page reads a page that must be in order.
func (s *tester) page(token, address string) page {
	s.t.Helper()
	answer := s.send(token, address, "")
	require.Equal(s.t, http.StatusOK, answer.Code, "%s: %s", address, answer.Body)
	var got page
	require.NoError(s.t, json.Unmarshal(answer.Body.Bytes(), &got))
	return got
}

// names returns a property of the entries of a page.
func (p page) names(property string) []any {
	names := []any{}
	for _, entry := range p.Value {
		names = append(names, entry[property])
	}
	return names
}

// refused reads the code and the message of an error answer.
func refused(t *testing.T, answer *httptest.ResponseRecorder) (code, message string) {
	t.Helper()
	var got struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &got), answer.Body)
	return got.Error.Code, got.Error.Message
}

// Each path needs one of its permissions, as a scope of a person or as a role of an app.
func TestRoutesNeedPermissions(t *testing.T) {
	t.Parallel()
	s := newTester(t, 100)
	for _, route := range graph.Routes() {
		path := strings.NewReplacer("{user}", s.tenant.Users[1].ID, "{group}", innerID).Replace(route.Path)
		body := ""
		if route.Method == http.MethodPost {
			body = `{"securityEnabledOnly":true,"groupIds":["x"],"ids":["x"]}`
		}
		for _, token := range []string{"person.openid.Not.A.Permission", "app.Not.A.Permission"} {
			if route.Path == "/oidc/userinfo" {
				continue
			}
			answer := s.send(token, path, body)
			if token == "app.Not.A.Permission" && route.Application == nil {
				assert.Equal(t, http.StatusBadRequest, answer.Code, route.Path)
				continue
			}
			assert.Equal(t, http.StatusForbidden, answer.Code, "%s %s: %s", route.Method, route.Path, answer.Body)
		}
		for _, permission := range route.Delegated {
			answer := s.send("person."+permission, path, body)
			assert.NotEqual(t, http.StatusForbidden, answer.Code, "%s with %s: %s", route.Path, permission, answer.Body)
			assert.Less(t, answer.Code, http.StatusInternalServerError)
		}
		for _, permission := range route.Application {
			answer := s.send("app."+permission, path, body)
			assert.NotEqual(t, http.StatusForbidden, answer.Code, "%s with %s: %s", route.Path, permission, answer.Body)
		}
		for _, permission := range route.Own {
			own := strings.ReplaceAll(path, s.tenant.Users[1].ID, adeleID)
			assert.NotEqual(t, http.StatusForbidden, s.send("person."+permission, own, body).Code, own)
			if own != path {
				assert.Equal(t, http.StatusForbidden, s.send("person."+permission, path, body).Code, path)
			}
		}
	}
}

// A route's permissions exist at Graph.
func TestRoutesUseRealPermissions(t *testing.T) {
	t.Parallel()
	api := &directory.App{ID: directory.GraphAppID}
	for _, route := range graph.Routes() {
		for _, name := range append(route.Own, route.Delegated...) {
			assert.NotNil(t, api.ScopeNamed(name), "%s: %s", route.Path, name)
		}
		for _, name := range route.Application {
			assert.NotNil(t, api.RoleNamed(name), "%s: %s", route.Path, name)
		}
	}
}

func TestPeople(t *testing.T) {
	t.Parallel()
	s := newTester(t, 100)
	all := s.page("app.User.Read.All", "/v1.0/users")
	assert.Equal(t, "https://graph.microsoft.com/v1.0/$metadata#users", all.Context)
	assert.Len(t, all.Value, 10)
	assert.Len(t, all.Value[0], 11, "the usual properties only")
	beta := s.page("app.User.Read.All", "/beta/users?$select=id,accountEnabled,unknown")
	assert.Equal(t, "https://graph.microsoft.com/beta/$metadata#users(id,accountEnabled,unknown)", beta.Context)
	assert.Equal(t, map[string]any{"id": adeleID, "accountEnabled": true}, beta.Value[0])

	basic := s.page("person.User.ReadBasic.All", "/v1.0/users")
	assert.Equal(t, "Product Marketing Manager", basic.Value[0]["jobTitle"], "one's own")
	assert.Nil(t, basic.Value[1]["jobTitle"])
	assert.Equal(t, "Wilber", basic.Value[1]["surname"])

	answer := s.send("person.User.Read.All", "/v1.0/users/"+nobodyID, "")
	assert.Equal(t, http.StatusNotFound, answer.Code)
	code, message := refused(t, answer)
	assert.Equal(t, "Request_ResourceNotFound", code)
	assert.Equal(t, "Resource '"+nobodyID+
		"' does not exist or one of its queried reference-property objects are not present.", message)
	assert.Equal(t, http.StatusForbidden, s.send("person.User.Read", "/v1.0/users/"+nobodyID, "").Code,
		"only a caller with the permission learns who is missing")
	assert.Contains(t, s.send("person.User.Read", "/v1.0/users/"+directory.DefaultUser, "").Body.String(), "Adele")
}

func TestMemberships(t *testing.T) {
	t.Parallel()
	s := newTester(t, 100)
	const token = "person.GroupMember.Read.All,User.Read"
	direct := s.page(token, "/v1.0/me/memberOf")
	assert.Equal(t, []any{"Tool makers"}, direct.names("displayName"))
	assert.Equal(t, "#microsoft.graph.group", direct.Value[0]["@odata.type"])
	all := s.page(token, "/v1.0/me/transitiveMemberOf")
	assert.Equal(t, []any{"Tool makers", "Engineering"}, all.names("displayName"))
	limited := s.page("person.User.Read", "/v1.0/me/memberOf")
	assert.Equal(t, innerID, limited.Value[0]["id"])
	assert.Nil(t, limited.Value[0]["displayName"], "User.Read shows only the IDs")
	cast := s.page(token, "/v1.0/me/transitiveMemberOf/microsoft.graph.group?$select=displayName")
	assert.Equal(t, []map[string]any{{"displayName": "Tool makers"}, {"displayName": "Engineering"}}, cast.Value)
	assert.Equal(t, []any{"Engineering"}, s.page(token, "/v1.0/groups/"+innerID+"/memberOf").names("displayName"))

	members := s.page(token, "/v1.0/groups/"+outerID+"/members")
	assert.Equal(t, []any{"#microsoft.graph.group", "#microsoft.graph.user"}, members.names("@odata.type"))
	everyone := s.page(token, "/v1.0/groups/"+outerID+"/transitiveMembers?$select=displayName")
	assert.Equal(t, []any{"Tool makers", "Alex Wilber", "Adele Vance"}, everyone.names("displayName"))
}

func TestActions(t *testing.T) {
	t.Parallel()
	s := newTester(t, 100)
	for _, test := range []struct {
		path, body string
		status     int
		want       string
	}{
		{
			"/v1.0/me/getMemberObjects", `{"securityEnabledOnly":true}`, 200,
			`"value":["` + innerID + `","` + outerID + `"]`,
		},
		{"/v1.0/users/" + adeleID + "/getMemberGroups", `{"securityEnabledOnly":false}`, 200, outerID},
		{"/v1.0/me/getMemberGroups", `{}`, 400, "A value is required for property 'securityEnabledOnly'"},
		{"/v1.0/me/getMemberGroups", `{`, 400, "Unable to read JSON request payload"},
		{
			"/v1.0/me/checkMemberGroups", `{"groupIds":["` + outerID + `","` + nobodyID + `"]}`, 200,
			`"value":["` + outerID + `"]`,
		},
		{"/v1.0/me/checkMemberGroups", `{"groupIds":[]}`, 400, "want 1 to 20 IDs"},
		{
			"/v1.0/directoryObjects/getByIds", `{"ids":["` + outerID + `","` + adeleID + `"],"types":["user"]}`, 200,
			`"value":[{"@odata.type":"#microsoft.graph.user","businessPhones":["+1 425 555 0109"],"displayName":"Adele`,
		},
		{"/v1.0/directoryObjects/getByIds", `{"ids":["` + outerID + `","x"]}`, 200, `"displayName":"Engineering"`},
		{"/v1.0/directoryObjects/getByIds", `{"ids":[` + strings.Repeat(`"x",`, 1000) + `"x"]}`, 400, "got 1001"},
		{"/v1.0/me/getMemberGroups", `"` + strings.Repeat("x", 100<<10) + `"`, 400, "Unable to read JSON"},
	} {
		answer := s.send("person.Directory.Read.All,User.Read", test.path, test.body)
		assert.Equal(t, test.status, answer.Code, "%s: %s", test.path, answer.Body)
		assert.Contains(t, answer.Body.String(), test.want, test.path)
	}
}

func TestPhotosAndOrganization(t *testing.T) {
	t.Parallel()
	s := newTester(t, 100)
	picture := s.send("person.User.Read", "/v1.0/me/photo/$value", "")
	assert.Equal(t, "image/jpeg", picture.Header().Get("Content-Type"))
	assert.Equal(t, "image/jpeg", http.DetectContentType(picture.Body.Bytes()))
	assert.Contains(t, s.send("person.User.Read", "/v1.0/me/photo", "").Body.String(), `"height":48`)
	missing := s.send("person.User.ReadBasic.All", "/v1.0/users/"+s.tenant.Users[1].ID+"/photo/$value", "")
	assert.Equal(t, http.StatusNotFound, missing.Code)
	organization := s.page("person.User.Read", "/v1.0/organization?$select=id,displayName")
	assert.Equal(t, []map[string]any{{"id": directory.DefaultTenantID, "displayName": "Contoso"}}, organization.Value)
}
