package broker_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/broker"
)

func TestMetadata(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	for _, test := range []struct {
		path   string
		openID bool
	}{
		{"/.well-known/oauth-authorization-server", false},
		{"/.well-known/openid-configuration", true},
	} {
		a := e.browser().get(e.origin+test.path, "Origin", "https://inspector.example")
		require.Equal(t, 200, a.status)
		assert.Equal(t, "application/json", a.header.Get("Content-Type"))
		assert.Equal(t, "*", a.header.Get("Access-Control-Allow-Origin"))
		var document map[string]any
		require.NoError(t, json.Unmarshal([]byte(a.body), &document))
		assert.Equal(t, e.origin, document["issuer"])
		assert.Equal(t, []any{"S256"}, document["code_challenge_methods_supported"])
		assert.Equal(t, true, document["authorization_response_iss_parameter_supported"])
		assert.Equal(t, test.openID, document["id_token_signing_alg_values_supported"] != nil)
		assert.Equal(t, test.openID, document["subject_types_supported"] != nil)
		assert.NotContains(t, document["scopes_supported"], "openid", "the broker issues no ID token")
		for name, value := range document {
			assert.NotEmpty(t, value, name)
		}
	}
	keys := e.browser().get(e.origin + "/jwks")
	assert.Contains(t, keys.body, `"crv":"P-256"`)
	assert.NotContains(t, keys.body, `"d":`)
}

func TestOpenEndpointsAllowPages(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	for _, test := range []struct {
		path string
		open bool
	}{
		{"/token", true},
		{"/register", true},
		{"/revoke", true},
		{"/jwks", true},
		{"/.well-known/oauth-authorization-server", true},
		{"/authorize", false},
		{"/authorize/consent", false},
		{broker.CallbackPath, false},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, e.origin+test.path, nil)
		require.NoError(t, err)
		r.Header.Set("Origin", "https://page.example")
		r.Header.Set("Access-Control-Request-Method", http.MethodPost)
		a := e.browser().send(r)
		assert.Equal(t, test.open, a.header.Get("Access-Control-Allow-Origin") == "*", test.path)
		assert.Empty(t, a.header.Get("Access-Control-Allow-Credentials"), test.path)
	}
}
