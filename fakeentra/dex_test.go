package fakeentra_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

// The requests of dex's Microsoft connector with groups: a code, the profile, the IDs of the groups
// and their names.
func TestRequestsOfDex(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{
		AutoSignIn: true,
		Directory: changed(func(tenant *directory.Tenant) {
			members := []string{tenant.Users[0].ID}
			tenant.Groups = []directory.Group{
				{ID: "5a1e0005-0000-4000-8000-0000000000d1", DisplayName: "Engineering", Members: members},
				{ID: "5a1e0005-0000-4000-8000-0000000000d2", DisplayName: "Sales", Members: members},
			}
		}),
	})
	config := oauth2.Config{
		ClientID:     directory.DefaultClientID,
		ClientSecret: directory.DefaultClientSecret,
		RedirectURL:  callback,
		Scopes:       []string{"user.read", "directory.read.all"},
		Endpoint: oauth2.Endpoint{
			AuthURL:  "https://login.microsoftonline.com/" + directory.DefaultTenantID + "/oauth2/v2.0/authorize",
			TokenURL: "https://login.microsoftonline.com/" + directory.DefaultTenantID + "/oauth2/v2.0/token",
		},
	}
	browser := *fake.Client()
	browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	answer, err := browser.Get(config.AuthCodeURL("state"))
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	back, err := answer.Location()
	require.NoError(t, err, answer.Status)
	ctx := context.WithValue(t.Context(), oauth2.HTTPClient, fake.Client())
	token, err := config.Exchange(ctx, back.Query().Get("code"))
	require.NoError(t, err)
	graph := config.Client(ctx, token)

	ask := func(method, path, body string, into any) {
		t.Helper()
		address := "https://graph.microsoft.com/v1.0/" + path
		r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
		require.NoError(t, err)
		if body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		answer, err := graph.Do(r)
		require.NoError(t, err)
		defer answer.Body.Close()
		require.Equal(t, http.StatusOK, answer.StatusCode, path)
		require.NoError(t, json.NewDecoder(answer.Body).Decode(into))
	}
	var me struct{ ID, DisplayName, UserPrincipalName string }
	ask("GET", "me?"+url.Values{"$select": {"id,displayName,userPrincipalName"}}.Encode(), "", &me)
	assert.Equal(t, "Adele Vance", me.DisplayName)
	var ids struct{ Value []string }
	ask("POST", "me/getMemberGroups", `{"securityEnabledOnly": true}`, &ids)
	require.Len(t, ids.Value, 2)
	wanted, err := json.Marshal(map[string][]string{"ids": ids.Value, "types": {"group"}})
	require.NoError(t, err)
	var groups struct {
		Value []struct{ DisplayName string }
	}
	ask("POST", "directoryObjects/getByIds", string(wanted), &groups)
	var names []string
	for _, group := range groups.Value {
		names = append(names, group.DisplayName)
	}
	assert.ElementsMatch(t, []string{"Engineering", "Sales"}, names)
}
