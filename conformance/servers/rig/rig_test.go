package rig_test

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/servers"
	"mcpentra/conformance/servers/rig"
)

func listen(t *testing.T, config rig.Config) *rig.Issuer {
	t.Helper()
	config.Address = "127.0.0.1:0"
	issuer, err := rig.Listen(config)
	require.NoError(t, err)
	t.Cleanup(issuer.Close)
	return issuer
}

func get(t *testing.T, address string) []byte {
	t.Helper()
	response, err := http.Get(address)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return text
}

// TestTokensVerify wants tokens that verify with the keys that the metadata names, each with its
// flaw.
func TestTokensVerify(t *testing.T) {
	t.Parallel()
	issuer := listen(t, rig.Config{
		Audience: "us",
		Scopes:   []string{"tools"},
		Claims:   map[string]any{"tid": "a tenant"},
	})
	var document struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	require.NoError(t, json.Unmarshal(get(t, issuer.URL+"/.well-known/openid-configuration"), &document))
	assert.Equal(t, issuer.URL, document.Issuer)
	var keys jose.JSONWebKeySet
	require.NoError(t, json.Unmarshal(get(t, document.Keys), &keys))
	assert.Equal(t, 1, issuer.KeySetFetches())

	target := servers.Target{}
	issuer.Fill(&target)
	claims := map[servers.TokenKind]map[string]any{}
	for kind, supply := range target.Tokens {
		raw, err := supply(t.Context())
		require.NoError(t, err, kind)
		token, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.RS256})
		require.NoError(t, err, kind)
		found := map[string]any{}
		require.NoError(t, token.Claims(keys.Keys[0], &found), kind)
		claims[kind] = found
	}
	now := float64(time.Now().Unix())
	good := claims[servers.Good]
	assert.Equal(t, "us", good["aud"])
	assert.Equal(t, "tools", good["scope"])
	assert.Equal(t, "a tenant", good["tid"])
	assert.Less(t, claims[servers.Expired]["exp"], now)
	assert.Greater(t, claims[servers.NotYetValid]["nbf"], now+60)
	assert.InDelta(t, now+20, claims[servers.ShortLived]["exp"], 5)
	assert.NotEqual(t, good["sub"], claims[servers.OtherUser]["sub"])
	assert.NotEqual(t, good["aud"], claims[servers.ForeignAudience]["aud"])
	assert.NotEqual(t, good["iss"], claims[servers.ForeignIssuer]["iss"])
	assert.NotEqual(t, good["scope"], claims[servers.WithoutScope]["scope"])
	assert.NotContains(t, claims[servers.IDToken], "scope")
	assert.NotEqual(t, good["jti"], claims[servers.Refreshed]["jti"])
}

// TestTokensHaveAlgorithm verifies good and edited tokens of each algorithm.
func TestTokensHaveAlgorithm(t *testing.T) {
	t.Parallel()
	secret := []byte("a-secret-of-at-least-thirty-two-bytes")
	for _, algorithm := range []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256, jose.HS256} {
		config := rig.Config{Audience: "us", Algorithm: string(algorithm)}
		if algorithm == jose.HS256 {
			config.Secret = secret
		}
		issuer := listen(t, config)
		target := servers.Target{}
		issuer.Fill(&target)
		var keys jose.JSONWebKeySet
		require.NoError(t, json.Unmarshal(issuer.KeySet(), &keys))
		var key any = secret
		if algorithm != jose.HS256 {
			key = keys.Keys[0]
		} else {
			assert.Empty(t, keys.Keys)
		}
		for _, kind := range []servers.TokenKind{servers.Good, servers.Expired} {
			raw, err := target.Tokens[kind](t.Context())
			require.NoError(t, err, algorithm)
			token, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{algorithm})
			require.NoError(t, err, algorithm)
			assert.NoError(t, token.Claims(key, &map[string]any{}), "%s %s", algorithm, kind)
		}
		assert.Contains(t, string(issuer.Discovery()), string(algorithm))
	}
}

func TestListenRefuses(t *testing.T) {
	t.Parallel()
	_, err := rig.Listen(rig.Config{Address: "127.0.0.1:0", Algorithm: "HS256"})
	assert.ErrorContains(t, err, "want a secret for HS256, got none")
	_, err = rig.Listen(rig.Config{Address: "127.0.0.1:0", Algorithm: "none"})
	assert.ErrorContains(t, err, `want the algorithm RS256, PS256, ES256 or HS256, got "none"`)
}

// TestServeReplacesDocuments lets a check answer in place of the issuer.
func TestServeReplacesDocuments(t *testing.T) {
	t.Parallel()
	issuer := listen(t, rig.Config{Audience: "us"})
	fixture := issuer.Fixture(servers.Target{})
	text := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("other")) })
	fixture.ServeKeySet(text)
	fixture.ServeDiscovery(text)
	assert.Equal(t, "other", string(get(t, issuer.URL+"/keys")))
	assert.Equal(t, "other", string(get(t, issuer.URL+"/.well-known/oauth-authorization-server")))
	fixture.ServeKeySet(nil)
	fixture.ServeDiscovery(nil)
	assert.JSONEq(t, string(fixture.KeySet()), string(get(t, issuer.URL+"/keys")))
	assert.JSONEq(t, string(fixture.Discovery()), string(get(t, issuer.URL+"/.well-known/openid-configuration")))
	assert.Equal(t, 2, fixture.KeySetFetches())
}
