package tokenrequest_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/tokenrequest"
)

func TestRefreshKeepsTokenWithoutReplacement(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, body, refresh string }{
		{"replaced", tokenJSON, "r-1"},
		{"not replaced", `{"access_token":"a-2","token_type":"Bearer"}`, "r-0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			i := newFakeIssuer(t, 200, c.body)
			token, err := i.endpoint(tokenrequest.Client{ID: "f5a3"}).
				Refresh(t.Context(), "r-0", "https://mcp.example.com/mcp")
			require.NoError(t, err)
			assert.Equal(t, c.refresh, token.Refresh)
			assert.Equal(t, url.Values{
				"grant_type":    {"refresh_token"},
				"refresh_token": {"r-0"},
				"resource":      {"https://mcp.example.com/mcp"},
				"client_id":     {"f5a3"},
			}, i.form)
		})
	}
}
