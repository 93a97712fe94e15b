package tokenrequest_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/tokenrequest"
)

func TestExchangeTokenRequestsIDJAG(t *testing.T) {
	t.Parallel()
	const response = `{"issued_token_type":"urn:ietf:params:oauth:token-type:id-jag",` +
		`"access_token":"j.a.g","token_type":"N_A","expires_in":300}`
	i := newFakeIssuer(t, 200, response)
	client := tokenrequest.Client{ID: "at-idp", Secret: "s-1", AuthMethod: "client_secret_basic"}
	assertion, err := i.endpoint(client).ExchangeToken(t.Context(), tokenrequest.TokenExchange{
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
}

func TestExchangeTokenRefusesOtherResponses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, body, text string }{
		{
			"another kind of token",
			`{"issued_token_type":"urn:ietf:params:oauth:token-type:access_token","access_token":"a"}`,
			"want issued_token_type",
		},
		{"no token", `{"issued_token_type":"urn:ietf:params:oauth:token-type:id-jag"}`, "want an access_token"},
		{"page", `<p>`, "want a JSON object"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			endpoint := newFakeIssuer(t, 200, c.body).endpoint(tokenrequest.Client{})
			_, err := endpoint.ExchangeToken(t.Context(), tokenrequest.TokenExchange{Subject: "i.d.t"})
			require.ErrorContains(t, err, c.text)
		})
	}
}
