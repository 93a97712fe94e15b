package accesstoken_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/broker/accesstoken"
	"mcpentra/server/identity"
	"mcpentra/server/token"
)

const resource = "https://files.example/mcp"

var started = time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)

// An issuer publishes one key and signs tokens with it.
type issuer struct {
	t      *testing.T
	url    string
	signer jose.Signer
}

func newIssuer(t *testing.T) *issuer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	private := jose.JSONWebKey{Key: key, KeyID: "2026", Algorithm: "ES256", Use: "sig"}
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{private.Public()}})
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.HandleFunc("/jwks", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(keys) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: private},
		(&jose.SignerOptions{}).WithType("at+jwt"))
	require.NoError(t, err)
	return &issuer{t, server.URL, signer}
}

// mint returns a token with the claims of a broker, and changes of them.
func (i *issuer) mint(changes map[string]any) string {
	claims := map[string]any{
		"iss":       i.url,
		"aud":       resource,
		"sub":       "tenant.adele",
		"exp":       started.Add(time.Minute).Unix(),
		"iat":       started.Unix(),
		"jti":       "1",
		"client_id": "c",
		"scope":     "files.read files.write",
		"entra_iss": "https://login.example/tenant/v2.0",
		"tid":       "tenant",
		"oid":       "adele",
		"name":      "Adele",
		"grant":     "g",
	}
	for name, value := range changes {
		claims[name] = value
	}
	signed, err := jwt.Signed(i.signer).Claims(claims).Serialize()
	require.NoError(i.t, err)
	return signed
}

func TestVerifierAcceptsTokensOfItsResource(t *testing.T) {
	t.Parallel()
	from := newIssuer(t)
	now := started
	v, err := accesstoken.New(accesstoken.Config{
		Issuer:   from.url,
		Resource: resource,
		Now:      func() time.Time { return now },
	})
	require.NoError(t, err)
	good := from.mint(nil)
	caller, err := v.Verify(t.Context(), good)
	require.NoError(t, err)
	assert.Equal(t, identity.Principal{
		Issuer:   "https://login.example/tenant/v2.0",
		TenantID: "tenant",
		ObjectID: "adele",
	}, caller.Principal)
	assert.Equal(t, []string{"files.read", "files.write"}, caller.Scopes)
	assert.True(t, caller.GroupsIncomplete)
	assert.False(t, caller.KindStated)
	caller.Name = "changed"
	again, err := v.Verify(t.Context(), good)
	require.NoError(t, err)
	assert.Equal(t, "Adele", again.Name)

	app, err := v.Verify(t.Context(), from.mint(map[string]any{"kind": "app", "grant": "", "oid": "nightly"}))
	require.NoError(t, err)
	assert.Equal(t, identity.App, app.Kind)

	for name, changes := range map[string]map[string]any{
		"another resource":     {"aud": "https://mcp.example/mcp"},
		"several resources":    {"aud": []string{resource, "https://mcp.example/mcp"}},
		"another issuer":       {"iss": "https://other.example"},
		"no grant":             {"grant": ""},
		"no client":            {"client_id": ""},
		"an app without scope": {"kind": "app", "scope": "", "grant": ""},
	} {
		_, err := v.Verify(t.Context(), from.mint(changes))
		var invalid *token.InvalidError
		assert.ErrorAs(t, err, &invalid, name)
	}
	now = started.Add(2 * time.Minute)
	_, err = v.Verify(t.Context(), good)
	var invalid *token.InvalidError
	require.ErrorAs(t, err, &invalid)
	assert.Equal(t, token.Expired, invalid.Reason)

	_, err = accesstoken.New(accesstoken.Config{Issuer: from.url})
	assert.Error(t, err)
}
