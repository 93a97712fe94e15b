package server_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
)

// Entra rolls its keys and goes away while the server runs: people go on working, and tokens of a
// key that was withdrawn end.
func TestKeyRolloverUnderARunningServer(t *testing.T) {
	t.Parallel()
	s := newDirectSite(t, nil)
	old := s.mint(fakeentra.Token{})
	status, _, body := s.call(old, callUserName)
	require.Equal(t, http.StatusOK, status, body)
	for range 2 {
		require.NoError(t, s.fake.Rotate())
		status, _, body = s.call(s.mint(fakeentra.Token{}), callUserName)
		assert.Equal(t, http.StatusOK, status, body)
	}
	status, _, _ = s.call(
		s.mint(fakeentra.Token{Key: fakeentra.StrangerKey, Header: map[string]any{"kid": "a-key-of-nobody"}}),
		callUserName,
	)
	assert.NotEqual(t, http.StatusOK, status)
}

func TestEntraRestartsUnderARunningServer(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	_, tokens := s.signIn()
	access := tokens["access_token"].(string)
	address := strings.TrimPrefix(s.fake.URL, "http://")
	s.fake.Close()
	status, _, body := s.call(access, strings.Replace(callUserName, "get_user_name", "whoami", 1))
	assert.Equal(t, http.StatusOK, status, "who is signed in does not need Entra for a call: %s", body)

	var err error
	s.fake, err = fakeentra.Listen(fakeentra.Config{}, address, false)
	require.NoError(t, err)
	t.Cleanup(s.fake.Close)
	require.NoError(t, s.fake.Rotate())
	require.NoError(t, s.fake.Rotate())
	_, tokens = s.signIn()
	status, _, body = s.call(tokens["access_token"].(string), callUserName)
	assert.Equal(t, http.StatusOK, status, body)
	assert.Contains(t, body, "User name is Adele Vance", "a new sign-in, under keys that nobody had seen")
}

// Every bad token of the fake's table is refused by the guard, and the good one is not.
func TestBadTokensAreRefused(t *testing.T) {
	t.Parallel()
	s := newDirectSite(t, nil)
	status, _, body := s.call(s.mint(fakeentra.Token{}), callUserName)
	require.Equal(t, http.StatusOK, status, body)
	bad, err := s.fake.BadTokens(fakeentra.Token{})
	require.NoError(t, err)
	for _, one := range bad {
		status, _, body := s.call(one.Token, callUserName)
		assert.Contains(
			t,
			[]int{http.StatusUnauthorized, http.StatusForbidden},
			status,
			"%s: %s: %s",
			one.Name,
			one.Why,
			body,
		)
	}
	status, _, _ = s.call(s.mint(fakeentra.Token{Age: 50 * time.Minute}), callUserName)
	assert.Equal(t, http.StatusOK, status, "an old token is a good one until it expires")
}
