package fakeentra_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

// Each permission of Graph needs the consent that it needs at Entra ID.
func TestConsentToGraphPermissions(t *testing.T) {
	t.Parallel()
	for scope, needsAdmin := range map[string]bool{
		"Files.Read.All": true,
		"https://graph.microsoft.com/Files.Read.All": true,
		"Group.Read.All":     false,
		"Directory.Read.All": false,
		"Mail.Send":          true,
		"https://graph.microsoft.com/Policy.Read.All":    false,
		"https://graph.microsoft.com/User.ReadBasic.All": true,
	} {
		person := &visit{t: t, fake: newFake(t, fakeentra.Config{})}
		page := person.post("login", request(map[string]string{"scope": scope}), url.Values{
			"account": {directory.DefaultUser},
		})
		assert.Equal(t, needsAdmin, strings.Contains(page.Body, `value="accept"`), "%s: %s", scope, page.Body)
	}
	fake := newFake(t, fakeentra.Config{AutoSignIn: true})
	unknown := authorize(t, fake, request(map[string]string{"scope": "Files.Read.Everything"}))
	assert.Contains(t, unknown.Body+unknown.Header.Get("Location"), "650053")
}

// A directory declares further permissions of Graph and other APIs of Microsoft.
func TestDeclaredResources(t *testing.T) {
	t.Parallel()
	d := directory.Default()
	d.Resources = []directory.App{
		{ID: directory.GraphAppID, Scopes: []directory.Scope{{Name: "Preview.Read"}}},
		{
			ID:             "797f4846-ba00-4fd7-a1ba-dab1e2ca2a2d",
			DisplayName:    "Azure Resource Manager",
			IdentifierURIs: []string{"https://management.azure.com"},
			Scopes:         []directory.Scope{{Name: "user_impersonation"}},
			Roles:          []directory.Role{{Value: "Reader"}},
		},
	}
	d.Tenants[0].Apps[0].ApplicationPermissions = []string{"https://management.azure.com/Reader", "User.Read.All"}
	fake := newFake(t, fakeentra.Config{Directory: d, AutoSignIn: true})
	got := token(t, fake, redemption(signIn(t, fake, map[string]string{"scope": "Preview.Read"}), nil))
	assert.Equal(t, "Preview.Read", got.text("scope"))

	code := signIn(t, fake, map[string]string{"scope": "https://management.azure.com//user_impersonation"})
	require.NoError(t, fake.SetDirectory(d))
	azure := token(t, fake, redemption(code, nil))
	assert.Equal(t, "https://management.azure.com//user_impersonation", azure.text("scope"))
	_, payload := claims(t, azure.text("access_token"))
	assert.Equal(t, "https://management.azure.com/", payload["aud"])
	assert.Equal(t, "user_impersonation", payload["scp"])

	for scope, roles := range map[string]any{
		"https://management.azure.com/.default": []any{"Reader"},
		"https://graph.microsoft.com/.default":  []any{"User.Read.All"},
	} {
		app := token(t, fake, url.Values{
			"grant_type":    {"client_credentials"},
			"client_id":     {directory.DefaultClientID},
			"client_secret": {directory.DefaultClientSecret},
			"scope":         {scope},
		})
		require.Equal(t, http.StatusOK, app.Status, app.Body)
		_, payload := claims(t, app.text("access_token"))
		assert.Equal(t, roles, payload["roles"], scope)
	}
}
