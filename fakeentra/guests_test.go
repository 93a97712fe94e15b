package fakeentra_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

const fabrikamID = "5a1e0001-0000-4000-8000-00000000f00d"

// guestTokens are the claims of a guest's tokens for the default API.
func guestTokens(t *testing.T, version int, change func(*directory.User, *directory.App)) (access, id map[string]any) {
	t.Helper()
	d := changed(func(t *directory.Tenant) {
		t.Apps[1].TokenVersion = version
		t.Users[0].HomeTenant = fabrikamID
		t.Users[0].UserPrincipalName = "lee_fabrikam.example#EXT#@" + directory.DefaultDomain
		if change != nil {
			change(&t.Users[0], &t.Apps[1])
		}
	})
	fake := newFake(t, fakeentra.Config{Directory: d, AutoSignIn: true})
	got := token(t, fake, redemption(signIn(t, fake, map[string]string{"scope": "openid profile " + apiScope}), nil))
	_, access = claims(t, got.text("access_token"))
	_, id = claims(t, got.text("id_token"))
	return access, id
}

// A guest's v1 token has no upn, and names the person as at home.
func TestGuestsInOldTokens(t *testing.T) {
	t.Parallel()
	access, _ := guestTokens(t, 1, nil)
	assert.NotContains(t, access, "upn")
	assert.Equal(t, "lee@fabrikam.example", access["unique_name"])
	assert.Equal(t, "lee@fabrikam.example", access["email"])
	assert.Equal(t, "https://sts.windows.net/"+fabrikamID+"/", access["idp"])

	access, id := guestTokens(t, 1, func(user *directory.User, _ *directory.App) {
		user.HomeTenant = directory.ConsumersTenantID
		user.UserPrincipalName = "guest@" + directory.DefaultDomain
		user.Mail = "megan@outlook.com"
	})
	assert.NotContains(t, access, "upn")
	assert.Equal(t, "live.com#megan@outlook.com", access["unique_name"])
	assert.Equal(t, "megan@outlook.com", access["email"])
	assert.Equal(t, "live.com", access["idp"])
	assert.Equal(t, "live.com", id["idp"])

	access, _ = guestTokens(t, 1, func(user *directory.User, _ *directory.App) { user.HomeTenant = "" })
	assert.Equal(t, access["upn"], access["unique_name"], "a member")
	assert.NotContains(t, access, "email")
	assert.NotContains(t, access, "idp")
}

// Guests have the optional claim upn only with a property.
func TestOptionalUPNOfGuests(t *testing.T) {
	t.Parallel()
	for property, want := range map[string]any{
		"":                                     nil,
		"include_externally_authenticated_upn": "lee_fabrikam.example#EXT#@" + directory.DefaultDomain,
		"include_externally_authenticated_upn_without_hash": "lee_fabrikam.example_EXT_@" + directory.DefaultDomain,
	} {
		for _, plain := range []bool{false, true} {
			access, _ := guestTokens(t, 2, func(user *directory.User, app *directory.App) {
				app.OptionalClaims.AccessToken = []string{"upn"}
				if property != "" {
					app.OptionalClaims.AdditionalProperties = map[string][]string{"upn": {property}}
				}
				if plain { // the name is made of the mail address
					user.UserPrincipalName = "lee@" + directory.DefaultDomain
					user.Mail = "lee@fabrikam.example"
				}
			})
			assert.Equal(t, want, access["upn"], property)
		}
	}
}
