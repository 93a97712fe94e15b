package tokenrequest_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/tokenrequest"
)

func TestRedeemSendsCode(t *testing.T) {
	t.Parallel()
	i := newFakeIssuer(t, 200, tokenJSON)
	token, err := i.endpoint(tokenrequest.Client{ID: "f5a3"}).
		Redeem(t.Context(), "c-1", "v-1", "http://localhost:3000/callback", "https://mcp.example.com/mcp")
	require.NoError(t, err)
	want := &tokenrequest.Token{
		Access:  "a-1",
		Refresh: "r-1",
		Expiry:  noon().Add(10 * time.Minute),
		Scopes:  []string{"x", "y"},
	}
	assert.Equal(t, want, token)
	assert.Equal(t, url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {"c-1"},
		"code_verifier": {"v-1"},
		"redirect_uri":  {"http://localhost:3000/callback"},
		"resource":      {"https://mcp.example.com/mcp"},
		"client_id":     {"f5a3"},
	}, i.form)
	assert.Empty(t, i.query)
	assert.Empty(t, i.header.Get("Authorization"))
}
