package tokenrequest_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/tokenrequest"
)

func TestJWTBearerSendsAssertion(t *testing.T) {
	t.Parallel()
	i := newFakeIssuer(t, 200, tokenJSON)
	token, err := i.endpoint(tokenrequest.Client{}).
		JWTBearer(t.Context(), "e.y.j", []string{"a"}, "https://mcp.example.com/mcp")
	require.NoError(t, err)
	assert.Equal(t, "a-1", token.Access)
	assert.Equal(t, url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"},
		"assertion":  {"e.y.j"},
		"scope":      {"a"},
		"resource":   {"https://mcp.example.com/mcp"},
	}, i.form)

	i = newFakeIssuer(t, 400, `{"error":"invalid_grant"}`)
	_, err = i.endpoint(tokenrequest.Client{ID: "f5a3"}).JWTBearer(t.Context(), "e.y.secret", nil, "")
	require.ErrorContains(t, err, "invalid_grant")
	assert.NotContains(t, err.Error(), "secret")
	assert.Equal(t, 1, i.requests, "the client tries no other way")
}
