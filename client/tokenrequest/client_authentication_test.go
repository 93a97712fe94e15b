package tokenrequest_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/tokenrequest"
)

func TestClientAuthenticatesByItsMethod(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		method string
		basic  bool
		form   url.Values
	}{
		{"", false, url.Values{"client_id": {"a:b c"}}},
		{"none", false, url.Values{"client_id": {"a:b c"}}},
		{"client_secret_post", false, url.Values{"client_id": {"a:b c"}, "client_secret": {"s/+ü"}}},
		{"client_secret_basic", true, url.Values{}},
	} {
		t.Run(c.method, func(t *testing.T) {
			t.Parallel()
			i := newFakeIssuer(t, 200, tokenJSON)
			_, err := i.endpoint(tokenrequest.Client{ID: "a:b c", Secret: "s/+ü", AuthMethod: c.method}).
				Refresh(t.Context(), "r-0", "")
			require.NoError(t, err)
			c.form.Set("grant_type", "refresh_token")
			c.form.Set("refresh_token", "r-0")
			assert.Equal(t, c.form, i.form)
			id, secret, basic := (&http.Request{Header: i.header}).BasicAuth()
			assert.Equal(t, c.basic, basic)
			if basic { // both are encoded as in a form (RFC 6749 section 2.3.1)
				assert.Equal(t, "a%3Ab+c", id)
				assert.Equal(t, "s%2F%2B%C3%BC", secret)
			}
		})
	}
}

func TestClientWithoutKeySendsNothing(t *testing.T) {
	t.Parallel()
	i := newFakeIssuer(t, 200, tokenJSON)
	_, err := i.endpoint(tokenrequest.Client{ID: "f5a3", AuthMethod: "private_key_jwt"}).Refresh(t.Context(), "r-0", "")
	require.ErrorContains(t, err, "want a client key for private_key_jwt")
	assert.Zero(t, i.requests)
}
