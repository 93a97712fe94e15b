package discovery_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/discovery"
)

func TestFindLegacyIssuerUsesMetadataOrDefaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		documents map[string]document
		assumed   bool
	}{
		{"no metadata", nil, true},
		{"metadata at the root", map[string]document{oauthAt: {body: issuerJSON("ORIGIN", withS256)}}, false},
		{"PKCE not advertised", map[string]document{oauthAt: {body: issuerJSON("ORIGIN", "")}}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, c.documents)
			found, err := s.fetcher().FindLegacyIssuer(t.Context(), s.mcpURL(t))
			require.NoError(t, err)
			require.NoError(t, found.CheckCodeFlow(false))
			assert.Equal(t, c.assumed, found.Assumed)
			assert.Equal(t, s.URL, found.Issuer)
			assert.Equal(t, s.URL+"/token", found.TokenEndpoint)
		})
	}
}

func TestFindLegacyIssuerRefusesDocument(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		document document
		text     string
	}{
		{"another issuer", document{body: issuerJSON("ORIGIN/t", withS256)}, "to the letter"},
		{"broken server", document{status: 500}, "status 500"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, map[string]document{oauthAt: c.document})
			_, err := s.fetcher().FindLegacyIssuer(t.Context(), s.mcpURL(t))
			require.ErrorContains(t, err, c.text)
		})
	}
}

func TestLegacyIssuerMayNotRefuseS256(t *testing.T) {
	t.Parallel()
	plain := issuerJSON("ORIGIN", `,"code_challenge_methods_supported":["plain"]`)
	s := serve(t, map[string]document{oauthAt: {body: plain}})
	found, err := s.fetcher().FindLegacyIssuer(t.Context(), s.mcpURL(t))
	require.NoError(t, err)
	require.ErrorIs(t, found.CheckCodeFlow(false), discovery.ErrNoPKCE)
}
