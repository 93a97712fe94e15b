package fakeentra_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

// Graph's 401 tells the cause in its message.
func TestGraphTellsWhyItRefuses(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{})
	mint := func(want fakeentra.Token) string {
		raw, err := fake.Mint(want)
		require.NoError(t, err)
		return "Bearer " + raw
	}
	for _, test := range []struct {
		name          string
		authorization string
		message       string
	}{
		{"no token", "", "Access token is empty."},
		{"another scheme", "Basic YTpi", "Access token is empty."},
		{"not a JWT", "Bearer opaque", "IDX14100: JWT is not well formed, there are no dots (.).\n" +
			"The token needs to be in JWS or JWE Compact Serialization Format. " +
			"(JWS): 'EncodedHeader.EncodedPayload.EncodedSignature'. " +
			"(JWE): 'EncodedProtectedHeader.EncodedEncryptedKey.EncodedInitializationVector." +
			"EncodedCiphertext.EncodedAuthenticationTag'."},
		{
			"expired",
			mint(fakeentra.Token{Kind: fakeentra.GraphToken, Age: 2 * time.Hour}),
			"Lifetime validation failed, the token is expired.",
		},
		{
			"for another API",
			mint(fakeentra.Token{API: directory.DefaultAPIID}),
			"Access token validation failure. Invalid audience.",
		},
		{
			"of a stranger",
			mint(fakeentra.Token{Kind: fakeentra.GraphToken, Key: fakeentra.StrangerKey}),
			"Access token validation failure.",
		},
		{
			"of an unknown person",
			mint(fakeentra.Token{
				Kind:   fakeentra.GraphToken,
				Claims: map[string]any{"oid": "5a1e0009-0000-4000-8000-000000000001"},
			}),
			"Access token validation failure.",
		},
	} {
		for _, path := range []string{"/v1.0/me", "/oidc/userinfo"} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://graph.microsoft.com"+path, nil)
			require.NoError(t, err)
			r.Header.Set("Authorization", test.authorization)
			got := do(t, fake, r)
			assert.Equal(t, http.StatusUnauthorized, got.Status, test.name)
			problem, _ := got.JSON["error"].(map[string]any)
			assert.Equal(t, "InvalidAuthenticationToken", problem["code"], test.name)
			assert.Equal(t, test.message, problem["message"], test.name)
			assert.Equal(t,
				`Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", `+
					`client_id="00000003-0000-0000-c000-000000000000"`,
				got.Header.Get("WWW-Authenticate"), test.name)
		}
	}
}
