package tokenrequest_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/tokenrequest"
)

func TestTokenExpiryIsRead(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		expiresIn string
		want      time.Duration
	}{
		{`600`, 10 * time.Minute},
		{`"600"`, 10 * time.Minute},
		{`6e2`, 10 * time.Minute},
		{`0`, 0},
		{`-1`, 0},
		{`null`, 0},
		{`"soon"`, 0},
		{`1e300`, 0},
		{`{}`, 0},
		{`"NaN"`, 0},
		{`"Inf"`, 0},
	} {
		t.Run(c.expiresIn, func(t *testing.T) {
			t.Parallel()
			i := newFakeIssuer(t, 200, `{"access_token":"a-1","token_type":"Bearer","expires_in":`+c.expiresIn+`}`)
			token, err := i.endpoint(tokenrequest.Client{ID: "f5a3"}).Refresh(t.Context(), "r-0", "")
			require.NoError(t, err)
			if c.want == 0 {
				assert.Zero(t, token.Expiry)
				return
			}
			assert.Equal(t, noon().Add(c.want), token.Expiry)
		})
	}
}

func TestTokenTellsAbsentScopeFromEmptyScope(t *testing.T) {
	t.Parallel()
	i := newFakeIssuer(t, 200, `{"access_token":"a-1","token_type":"Bearer"}`)
	token, err := i.endpoint(tokenrequest.Client{}).Refresh(t.Context(), "r-0", "")
	require.NoError(t, err)
	assert.Nil(t, token.Scopes)
	i = newFakeIssuer(t, 200, `{"access_token":"a-1","token_type":"Bearer","scope":""}`)
	token, err = i.endpoint(tokenrequest.Client{}).Refresh(t.Context(), "r-0", "")
	require.NoError(t, err)
	assert.NotNil(t, token.Scopes, "the server granted no scope")
}
