package tokenrequest_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/tokenrequest"
)

func TestRevokeSendsToken(t *testing.T) {
	t.Parallel()
	i := newFakeIssuer(t, 200, ``)
	endpoint := i.endpoint(tokenrequest.Client{ID: "f5a3"})
	require.NoError(t, endpoint.Revoke(t.Context(), i.URL+"/revoke", "r-1"))
	assert.Equal(t, url.Values{"token": {"r-1"}, "client_id": {"f5a3"}}, i.form)
	i = newFakeIssuer(t, 503, ``)
	err := endpoint.Revoke(t.Context(), i.URL+"/revoke", "r-secret")
	require.ErrorContains(t, err, "status 503")
	assert.NotContains(t, err.Error(), "secret")
}
