package tokenrequest_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/tokenrequest"
)

// TestErrorIsNoRefusal has responses that say nothing about the grant.
func TestErrorIsNoRefusal(t *testing.T) {
	t.Parallel()
	long := `{"access_token":"` + strings.Repeat("x", 2<<20) + `","token_type":"Bearer"}`
	for _, c := range []struct {
		name   string
		status int
		body   string
		text   string
	}{
		{"broken server with a code", 503, `{"error":"invalid_grant"}`, "status 503"},
		{"busy server with a code", 429, `{"error":"invalid_grant"}`, "status 429"},
		{"overloaded server with 400", 400, `{"error":"temporarily_unavailable"}`, "temporarily_unavailable"},
		{"page of a firewall", 403, `<p>Blocked`, "status 403"},
		{"redirect", 307, ``, "status 307"},
		{"page with 200", 200, `<p>`, "want a JSON object"},
		{"repeated member", 200, `{"access_token":"a","access_token":"b","token_type":"Bearer"}`, "unique members"},
		{"two mebibytes", 200, long, "more than 1048576 bytes"},
		{"no token", 200, `{"token_type":"Bearer"}`, "want an access_token"},
		{"token with a line break", 200, `{"access_token":"a\r\nX: 1","token_type":"Bearer"}`, "want an access_token"},
		{"no token type", 200, `{"access_token":"a-1"}`, `token_type Bearer, got ""`},
		{"unknown token type", 200, `{"access_token":"a-1","token_type":"DPoP\u001b"}`, `Bearer, got "DPoP?"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			i := newFakeIssuer(t, c.status, c.body)
			_, err := i.endpoint(tokenrequest.Client{ID: "f5a3", Secret: "s-secret", AuthMethod: "client_secret_post"}).
				Redeem(t.Context(), "c-secret", "v-secret", "http://localhost/c", "")
			require.ErrorContains(t, err, c.text)
			var refused *tokenrequest.Error
			assert.NotErrorAs(t, err, &refused)
			assert.NotContains(t, err.Error(), "secret")
			assert.Less(t, len(err.Error()), 300)
			assert.Equal(t, 1, i.requests, "the redirect is not followed, and nothing is sent twice")
		})
	}
}

func TestErrorOfNetworkHoldsNoSecret(t *testing.T) {
	t.Parallel()
	i := newFakeIssuer(t, 200, tokenJSON)
	endpoint := i.endpoint(tokenrequest.Client{ID: "f5a3", Secret: "s-secret", AuthMethod: "client_secret_post"})
	i.Close()
	_, err := endpoint.Refresh(t.Context(), "r-secret", "")
	require.ErrorContains(t, err, "token endpoint")
	assert.NotContains(t, err.Error(), "secret")
	require.ErrorContains(t, endpoint.Revoke(t.Context(), i.URL, "r-secret"), "revocation endpoint")
}
