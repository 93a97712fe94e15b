package tokenrequest_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/tokenrequest"
)

func TestAssertionOfSomebodyElseIsExchanged(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, 200, issued)
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

	i = newIssuer(t, 400, `{"error":"invalid_grant"}`)
	_, err = i.endpoint(tokenrequest.Client{ID: "f5a3"}).JWTBearer(t.Context(), "e.y.secret", nil, "")
	require.ErrorContains(t, err, "invalid_grant")
	assert.NotContains(t, err.Error(), "secret")
	assert.Equal(t, 1, i.asked, "nothing else is tried")
}

func TestIdentityProviderIsAskedForOneServer(t *testing.T) {
	t.Parallel()
	i := newIssuer(
		t,
		200,
		`{"issued_token_type":"urn:ietf:params:oauth:token-type:id-jag","access_token":"j.a.g","token_type":"N_A","expires_in":300}`,
	)
	assertion, err := i.endpoint(tokenrequest.Client{ID: "at-idp", Secret: "s-1", AuthMethod: "client_secret_basic"}).
		Exchange(t.Context(), tokenrequest.Exchange{
			Subject:  "i.d.t",
			Audience: "https://login.example.com",
			Resource: "https://mcp.example.com/mcp",
			Scopes:   []string{"a", "b"},
		})
	require.NoError(t, err)
	assert.Equal(t, "j.a.g", assertion)
	assert.Equal(t, url.Values{
		"grant_type":           {"urn:ietf:params:oauth:grant-type:token-exchange"},
		"requested_token_type": {"urn:ietf:params:oauth:token-type:id-jag"},
		"subject_token":        {"i.d.t"},
		"subject_token_type":   {"urn:ietf:params:oauth:token-type:id_token"},
		"audience":             {"https://login.example.com"},
		"resource":             {"https://mcp.example.com/mcp"},
		"scope":                {"a b"},
	}, i.form)
	id, _, _ := (&http.Request{Header: i.header}).BasicAuth()
	assert.Equal(t, "at-idp", id)

	for name, c := range map[string]struct{ body, says string }{
		"another kind of token": {`{"issued_token_type":"urn:ietf:params:oauth:token-type:access_token","access_token":"a","token_type":"Bearer"}`, "want issued_token_type"},
		"no token":              {`{"issued_token_type":"urn:ietf:params:oauth:token-type:id-jag"}`, "no assertion"},
		"no JSON":               {`<p>`, "not the JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := newIssuer(
				t,
				200,
				c.body,
			).endpoint(tokenrequest.Client{}).
				Exchange(t.Context(), tokenrequest.Exchange{Subject: "i.d.t"})
			require.ErrorContains(t, err, c.says)
		})
	}
}
