package broker_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/broker"
)

// threeScopes are more scopes than the reference server has. The first is the default.
func threeScopes() []broker.Scope {
	upstream := []string{"User.Read"}
	return []broker.Scope{
		{Name: "user.read", Description: "read your name", Upstream: upstream},
		{Name: "notes.read", Description: "read your notes", Upstream: upstream},
		{Name: "notes.write", Description: "change your notes", Upstream: upstream},
	}
}

// TestScopesFollowOneRule asks for scopes at each endpoint.
func TestScopesFollowOneRule(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{scopes: threeScopes()})
	register := func(scope string) (registered, string) {
		text, err := json.Marshal(map[string]any{
			"redirect_uris":              []string{loopback},
			"token_endpoint_auth_method": "none",
			"scope":                      scope,
		})
		require.NoError(t, err)
		made, status := w.register(string(text))
		require.Equal(t, 201, status)
		return made, made.Scope
	}
	refreshed := func(c registered, refresh, scope string) (tokens, int) {
		form := refreshing(c, refresh)
		form.Set("scope", scope)
		return w.token(form)
	}
	c := w.public()
	held := w.signedIn(c, "scope", "notes.read user.read")
	for asked, granted := range map[string]string{
		"":                                "",
		"admin":                           "",
		"admin offline_access":            "",
		"notes.read":                      "notes.read",
		"notes.read admin":                "notes.read",
		"user.read notes.read user.read ": "user.read notes.read",
		"USER.READ openid":                "",
	} {
		t.Run(asked, func(t *testing.T) {
			fallback := func(scopes string) string {
				if granted == "" {
					return scopes
				}
				return granted
			}
			_, scope := register(asked)
			assert.Equal(t, fallback("user.read"), scope, "registration")
			got := w.signedIn(c, "scope", asked)
			assert.Equal(t, fallback("user.read"), got.Scope, "authorization")
			got, status := refreshed(c, held.Refresh, asked)
			require.Equal(t, 200, status, "refresh")
			assert.Equal(t, fallback("notes.read user.read"), got.Scope, "refresh")
			held = got
		})
	}
	got, status := refreshed(c, held.Refresh, "notes.read notes.write")
	assert.Equal(t, 400, status, "a scope that exists and was not granted")
	assert.Equal(t, "invalid_scope", got.Error)
	got, status = refreshed(c, held.Refresh, "")
	assert.Equal(t, 200, status, "the refusal has cost nothing")
	assert.Equal(t, "notes.read user.read", got.Scope)
}

func TestARegistrationLimitsNoScope(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{scopes: threeScopes()})
	made, status := w.register(`{"redirect_uris":["` + loopback + `"],"token_endpoint_auth_method":"none",` +
		`"scope":"user.read"}`)
	require.Equal(t, 201, status)
	got := w.signedIn(made, "scope", "user.read notes.write")
	assert.Equal(t, "user.read notes.write", got.Scope)
	page := w.browser().get(w.request(made, "scope", "notes.read notes.write"))
	assert.Contains(t, page.body, "read your notes", "the person is asked for each")
	assert.Contains(t, page.body, "change your notes")
	assert.NotContains(t, page.body, "read your name")
}
