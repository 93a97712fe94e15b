package signin_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/discovery"
	"mcpentra/client/signin"
	"mcpentra/client/tokenrequest"
)

func TestPreregisteredClientChoosesMethod(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		secret  string
		hasKey  bool
		offered []string
		method  string
	}{
		{"no secret", "", false, []string{"client_secret_basic"}, "none"},
		{"secret, no list", "s", false, nil, "client_secret_basic"},
		{"secret in the form", "s", false, []string{"client_secret_post"}, "client_secret_post"},
		{"key", "", true, []string{"client_secret_basic", "private_key_jwt"}, "private_key_jwt"},
		{"key, no list", "", true, nil, "private_key_jwt"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			issuer := &discovery.Issuer{AuthMethods: c.offered}
			client, err := signin.PreregisteredClient(issuer, "f5a3", c.secret, c.hasKey)
			require.NoError(t, err)
			assert.Equal(t, tokenrequest.Client{ID: "f5a3", Secret: c.secret, AuthMethod: c.method}, client)
		})
	}
}

func TestPreregisteredClientRefusesServer(t *testing.T) {
	t.Parallel()
	withoutSecret := &discovery.Issuer{AuthMethods: []string{"none", "private_key_jwt"}}
	_, err := signin.PreregisteredClient(withoutSecret, "f5a3", "s", false)
	require.ErrorContains(t, err, "client_secret_post for the client secret")
	require.ErrorContains(t, err, "got none, private_key_jwt")
	withoutKey := &discovery.Issuer{AuthMethods: []string{"client_secret_basic"}}
	_, err = signin.PreregisteredClient(withoutKey, "f5a3", "", true)
	require.ErrorContains(t, err, "want private_key_jwt for the client key")
}
