package issuers_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server"
	"mcpentra/server/broker"
)

// TestRegisteredKeyClientIsUsed tries the checks of assertions on a broker where no client can
// register. Its operator has registered one with a key.
func TestRegisteredKeyClientIsUsed(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	write := func(name string, value any) string {
		text, err := json.Marshal(value)
		require.NoError(t, err)
		name = filepath.Join(folder, name)
		require.NoError(t, os.WriteFile(name, text, 0o600))
		return name
	}
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	key := jose.JSONWebKey{Key: secret, KeyID: "key of the client", Use: "sig", Algorithm: "ES256"}
	clients := write("clients.json", map[string]any{"clients": []any{map[string]any{
		"client_id":                       "with-key",
		"client_name":                     "A client with a key",
		"redirect_uris":                   []string{"http://127.0.0.1:33418/callback"},
		"token_endpoint_auth_method":      "private_key_jwt",
		"token_endpoint_auth_signing_alg": "ES256",
		"jwks":                            jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Public()}},
	}}})
	origin := startBrokerFor(t, server.Config{
		BrokerLimits: broker.Limits{WrongPerMinute: -1},
		Clients: broker.ClientPolicy{
			File:         clients,
			Registration: broker.RegistrationPolicy{Off: true},
		},
	})
	const checks = "authorization-server/assertion"
	found := runIn(t, "", "issuer", origin, "--scripted", "--only", checks,
		"--key-client", "with-key", "--key-client-key", write("key.jwk", key))
	assert.Equal(t, 0, found.status, "%s\n%s", found.out, found.log)
	assert.Equal(t, 11, found.count("pass"), found.out)
	assert.Contains(t, found.out, "the client that is registered beforehand has one key")

	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	key.Key = other
	found = runIn(t, "", "issuer", origin, "--scripted", "--only", checks+"/accepted",
		"--key-client", "with-key", "--key-client-key", write("wrong.jwk", key))
	assert.Contains(t, found.out, "warn  authorization-server/assertion/accepted", found.log)
}
