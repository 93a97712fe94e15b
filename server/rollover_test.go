package server_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/loopback/loopbacktest"
	"mcpentra/fakeentra"
)

// TestServerFollowsKeyRollover rolls Entra's keys while the server runs. New tokens work at once.
func TestServerFollowsKeyRollover(t *testing.T) {
	t.Parallel()
	s := newDirectEnv(t, nil)
	old := s.mint(fakeentra.Token{})
	status, _, body := s.call(old, callUserName)
	require.Equal(t, http.StatusOK, status, body)
	for range 2 {
		require.NoError(t, s.fake.Rotate())
		status, _, body = s.call(s.mint(fakeentra.Token{}), callUserName)
		assert.Equal(t, http.StatusOK, status, body)
	}
	status, _, _ = s.call(
		s.mint(fakeentra.Token{Key: fakeentra.StrangerKey, Header: map[string]any{"kid": "unknown-key"}}),
		callUserName,
	)
	assert.NotEqual(t, http.StatusOK, status)
}

func TestServerSurvivesEntraRestart(t *testing.T) {
	t.Parallel()
	address := "127.0.0.1:" + loopbacktest.Port(t)
	fake, err := fakeentra.Listen(fakeentra.Config{}, address, false)
	require.NoError(t, err)
	t.Cleanup(fake.Close)
	s := newEnvOf(t, fake, nil)
	_, tokens := s.signIn()
	access := tokens["access_token"].(string)
	fake.Close()
	status, _, body := s.call(access, callWhoami)
	assert.Equal(t, http.StatusOK, status, "a call needs no request to Entra: %s", body)

	s.fake, err = fakeentra.Listen(fakeentra.Config{}, address, false)
	require.NoError(t, err)
	t.Cleanup(s.fake.Close)
	require.NoError(t, s.fake.Rotate())
	require.NoError(t, s.fake.Rotate())
	_, tokens = s.signIn()
	status, _, body = s.call(tokens["access_token"].(string), callUserName)
	assert.Equal(t, http.StatusOK, status, body)
	assert.Contains(t, body, "User name is Adele Vance", "a new sign-in with new keys")
}

// TestServerRefusesBadTokens sends every bad token of the fake's table, and a good one.
func TestServerRefusesBadTokens(t *testing.T) {
	t.Parallel()
	s := newDirectEnv(t, nil)
	status, _, body := s.call(s.mint(fakeentra.Token{}), callUserName)
	require.Equal(t, http.StatusOK, status, body)
	bad, err := s.fake.BadTokens(fakeentra.Token{})
	require.NoError(t, err)
	for _, token := range bad {
		status, _, body := s.call(token.Token, callUserName)
		assert.Contains(
			t,
			[]int{http.StatusUnauthorized, http.StatusForbidden},
			status,
			"%s: %s: %s",
			token.Name,
			token.Why,
			body,
		)
	}
	status, _, _ = s.call(s.mint(fakeentra.Token{Age: 50 * time.Minute}), callUserName)
	assert.Equal(t, http.StatusOK, status, "an old token is a good one until it expires")
}
