package signin_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/discovery"
)

func TestBeginMakesAuthorizationRequest(t *testing.T) {
	t.Parallel()
	authorization := begin(t, discovery.Issuer{AuthorizationEndpoint: login + "/authorize?policy=p1&state=theirs"})
	page, err := url.Parse(authorization.URL)
	require.NoError(t, err)
	query := page.Query()
	challenge := query.Get("code_challenge")
	query.Del("code_challenge")
	assert.Equal(t, url.Values{
		"policy":                {"p1"},
		"response_type":         {"code"},
		"client_id":             {"f5a3"},
		"redirect_uri":          {"http://localhost:3000/callback"},
		"state":                 {authorization.State},
		"code_challenge_method": {"S256"},
		"resource":              {"https://mcp.example.com/mcp"},
		"scope":                 {"files.read files.write"},
	}, query)
	assert.GreaterOrEqual(t, len(authorization.State), 26, "128 bits in base32")

	response, err := authorization.ReadResponse(url.Values{"state": {authorization.State}, "code": {"c"}})
	require.NoError(t, err)
	sum := sha256.Sum256([]byte(response.Verifier))
	assert.Equal(t, base64.RawURLEncoding.EncodeToString(sum[:]), challenge)
	assert.NotContains(t, authorization.URL, response.Verifier)
	assert.NotEqual(t, authorization.State, begin(t, discovery.Issuer{}).State)
}
