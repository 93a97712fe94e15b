package fakeentra_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

// askGraph sends a request to Graph, or to the address of another host.
func askGraph(t *testing.T, fake *fakeentra.Fake, bearer, method, address, body string) answer {
	t.Helper()
	if strings.HasPrefix(address, "/") {
		address = fake.GraphURL() + address
	}
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+bearer)
	return do(t, fake, r)
}

// A person in 201 groups has too many for a token. The address in the token has them all.
func TestGroupOverageLeadsToGraph(t *testing.T) {
	t.Parallel()
	d := changed(func(t *directory.Tenant) {
		t.Apps[1].GroupMembershipClaims = "SecurityGroup"
		for i := range 201 {
			member := directory.DefaultUserID
			if i > 0 { // nested groups count
				member = t.Groups[0].ID
			}
			t.Groups = append(t.Groups, directory.Group{
				ID:          fmt.Sprintf("5a1e0005-0000-4000-8000-%012d", i),
				DisplayName: fmt.Sprint(i),
				Members:     []string{member},
			})
		}
	})
	server := fakeentra.NewServer(fakeentra.Config{Directory: d})
	defer server.Close()
	for host, fake := range map[string]*fakeentra.Fake{
		"https://graph.windows.net": newFake(t, fakeentra.Config{Directory: d}),
		"https://entra.test":        newFake(t, fakeentra.Config{Directory: d, PublicURL: "https://entra.test"}),
		server.URL:                  server.Fake,
	} {
		raw, err := fake.Mint(fakeentra.Token{})
		require.NoError(t, err)
		_, payload := claims(t, raw)
		assert.NotContains(t, payload, "groups")
		sources, _ := payload["_claim_sources"].(map[string]any)
		source, _ := sources["src1"].(map[string]any)
		address, _ := source["endpoint"].(string)
		require.Equal(t,
			host+"/"+directory.DefaultTenantID+"/users/"+directory.DefaultUserID+"/getMemberObjects", address)

		bearer, err := fake.Mint(fakeentra.Token{Kind: fakeentra.GraphToken})
		require.NoError(t, err)
		for _, path := range []string{address, "/v1.0/users/" + directory.DefaultUserID + "/getMemberObjects"} {
			got := askGraph(t, fake, bearer, http.MethodPost, path, `{"securityEnabledOnly":false}`)
			require.Equal(t, http.StatusOK, got.Status, got.Body)
			assert.Len(t, got.JSON["value"], 201, path)
		}
		elsewhere := strings.ReplaceAll(address, directory.DefaultTenantID, "fabrikam.onmicrosoft.com")
		assert.Equal(t, http.StatusForbidden,
			askGraph(t, fake, bearer, http.MethodPost, elsewhere, `{"securityEnabledOnly":false}`).Status)
	}
}

// The page size comes from the Config, or else from the directory.
func TestGraphPageSize(t *testing.T) {
	t.Parallel()
	d := directory.Default()
	d.GraphPageSize = 1
	for _, test := range []struct {
		config fakeentra.Config
		isAll  bool
	}{
		{fakeentra.Config{}, true},
		{fakeentra.Config{Directory: d}, false},
		{fakeentra.Config{Directory: d, GraphPageSize: 2}, true},
	} {
		fake := newFake(t, test.config)
		bearer, err := fake.Mint(fakeentra.Token{Kind: fakeentra.GraphToken, Scopes: []string{"User.Read.All"}})
		require.NoError(t, err)
		got := askGraph(t, fake, bearer, http.MethodGet, "/v1.0/users", "")
		assert.Equal(t, test.isAll, got.JSON["@odata.nextLink"] == nil, got.Body)
	}
	for _, size := range []int{-1, 1000} {
		_, err := fakeentra.New(fakeentra.Config{GraphPageSize: size})
		assert.ErrorContains(t, err, "want 1 to 999 as page size of Graph")
	}
}

// An app's token reads with its application permissions, and only with them.
func TestGraphForApps(t *testing.T) {
	t.Parallel()
	d := changed(func(t *directory.Tenant) {
		t.Apps[0].ApplicationPermissions = []string{"GroupMember.Read.All"}
		t.Groups = []directory.Group{{ID: "5a1e0005-0000-4000-8000-000000000001", DisplayName: "Makers"}}
	})
	fake := newFake(t, fakeentra.Config{Directory: d})
	bearer := token(t, fake, url.Values{
		"grant_type":    {"client_credentials"},
		"client_id":     {directory.DefaultClientID},
		"client_secret": {directory.DefaultClientSecret},
		"scope":         {"https://graph.microsoft.com/.default"},
	}).text("access_token")
	for path, status := range map[string]int{
		"/v1.0/groups": http.StatusOK,
		"/beta/groups": http.StatusOK,
		"/v1.0/users":  http.StatusForbidden,
		"/v1.0/me":     http.StatusBadRequest,
	} {
		assert.Equal(t, status, askGraph(t, fake, bearer, http.MethodGet, path, "").Status, path)
	}
	minted, err := fake.Mint(fakeentra.Token{
		Kind:   fakeentra.AppToken,
		API:    directory.GraphAppID,
		Claims: map[string]any{"roles": []string{"User.Read.All"}},
	})
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, askGraph(t, fake, minted, http.MethodGet, "/v1.0/users", "").Status)
}
