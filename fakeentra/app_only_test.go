package fakeentra_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

// appTokenAt requests a token for the default app itself, at the v1 or the v2 endpoint.
func appTokenAt(t *testing.T, fake *fakeentra.Fake, endpoint string) answer {
	t.Helper()
	form := url.Values{
		"grant_type":    {"client_credentials"},
		"client_id":     {directory.DefaultClientID},
		"client_secret": {directory.DefaultClientSecret},
		"scope":         {"api://" + directory.DefaultAPIID + "/.default"},
		"resource":      {"api://" + directory.DefaultAPIID},
	}
	body := strings.NewReader(form.Encode())
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, tenantURL+endpoint, body)
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	got := do(t, fake, r)
	require.Equal(t, http.StatusOK, got.Status, got.Body)
	return got
}

// The lifetime of app-only tokens never varies, unlike the lifetime of a person's tokens.
func TestAppOnlyTokensHaveOneLifetime(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 31, 9, 0, 0, 0, time.UTC)
	fake := newFake(t, fakeentra.Config{AutoSignIn: true, Now: func() time.Time { return now }})
	lifetimes := map[any]bool{}
	for range 5 {
		for endpoint, want := range map[string]any{"/oauth2/v2.0/token": 3599.0, "/oauth2/token": "3599"} {
			got := appTokenAt(t, fake, endpoint)
			assert.Equal(t, want, got.JSON["expires_in"], endpoint)
			assert.Equal(t, want, got.JSON["ext_expires_in"], endpoint)
			_, payload := claims(t, got.text("access_token"))
			assert.InDelta(t, 3900, payload["exp"].(float64)-payload["iat"].(float64), 0, endpoint)
			assert.InDelta(t, float64(now.Add(time.Hour).Unix()), payload["exp"], 0, endpoint)
		}
		lifetimes[token(t, fake, redemption(signIn(t, fake, nil), nil)).JSON["expires_in"]] = true
	}
	assert.Greater(t, len(lifetimes), 1, "a person's tokens")
}

// A v1 answer has the members of recordings, and its times agree with the token.
func TestAppOnlyAnswerOfOldEndpoint(t *testing.T) {
	t.Parallel()
	got := appTokenAt(t, newFake(t, fakeentra.Config{}), "/oauth2/token")
	assert.Equal(t, []string{
		"token_type",
		"expires_in",
		"ext_expires_in",
		"expires_on",
		"not_before",
		"resource",
		"access_token",
	}, members(t, got.Body))
	_, payload := claims(t, got.text("access_token"))
	assert.Equal(t, got.text("expires_on"), fmt.Sprintf("%.0f", payload["exp"]))
	assert.Equal(t, got.text("not_before"), fmt.Sprintf("%.0f", payload["nbf"]))
}
