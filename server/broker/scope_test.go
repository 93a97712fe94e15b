package broker_test

import (
	"cmp"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestScopesFollowOneRule asks for the same scopes at each endpoint.
func TestScopesFollowOneRule(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{scopes: threeScopes()})
	register := func(scope string) (registered, string) {
		text, err := json.Marshal(map[string]any{
			"redirect_uris":              []string{loopback},
			"token_endpoint_auth_method": "none",
			"scope":                      scope,
		})
		require.NoError(t, err)
		made, status := e.register(string(text))
		require.Equal(t, 201, status)
		return made, made.Scope
	}
	refreshed := func(c registered, refresh, scope string) (tokens, int) {
		form := refreshing(c, refresh)
		form.Set("scope", scope)
		return e.token(form)
	}
	c := e.public()
	newest := e.signedIn(c, "scope", "notes.read user.read")
	for _, test := range []struct {
		asked   string
		granted string // "" means the fallback
	}{
		{"", ""},
		{"admin", ""},
		{"admin offline_access", ""},
		{"notes.read", "notes.read"},
		{"notes.read admin", "notes.read"},
		{"user.read notes.read user.read ", "user.read notes.read"},
		{"USER.READ openid", ""},
	} {
		t.Run(test.asked, func(t *testing.T) {
			_, scope := register(test.asked)
			assert.Equal(t, cmp.Or(test.granted, "user.read"), scope, "registration")
			got := e.signedIn(c, "scope", test.asked)
			assert.Equal(t, cmp.Or(test.granted, "user.read"), got.Scope, "authorization")
			got, status := refreshed(c, newest.Refresh, test.asked)
			require.Equal(t, 200, status, "refresh")
			assert.Equal(t, cmp.Or(test.granted, "notes.read user.read"), got.Scope, "refresh")
			newest = got
		})
	}
	got, status := refreshed(c, newest.Refresh, "notes.read notes.write")
	assert.Equal(t, 400, status, "a scope that exists and was not granted")
	assert.Equal(t, "invalid_scope", got.Error)
	got, status = refreshed(c, newest.Refresh, "")
	assert.Equal(t, 200, status, "the refusal has used nothing up")
	assert.Equal(t, "notes.read user.read", got.Scope)
}

func TestRegistrationLimitsNoScope(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{scopes: threeScopes()})
	made, status := e.register(`{"redirect_uris":["` + loopback + `"],"token_endpoint_auth_method":"none",` +
		`"scope":"user.read"}`)
	require.Equal(t, 201, status)
	got := e.signedIn(made, "scope", "user.read notes.write")
	assert.Equal(t, "user.read notes.write", got.Scope)
	page := e.browser().get(e.request(made, "scope", "notes.read notes.write"))
	assert.Contains(t, page.body, "read your notes", "the person is asked for each")
	assert.Contains(t, page.body, "change your notes")
	assert.NotContains(t, page.body, "read your name")
}
