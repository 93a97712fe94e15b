package fakeentra

import (
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Claims stand in the order in which recorded tokens have them (testdata/entra/token-claims.json has their names only).
func TestOrderOfClaims(t *testing.T) {
	t.Parallel()
	fake, err := New(Config{})
	require.NoError(t, err)
	for kind, want := range map[Kind]string{
		AccessToken: "aud iss iat nbf exp aio azp azpacr name oid preferred_username rh scp sid sub tid uti ver xms_ftd",
		IDToken:     "aud iss iat nbf exp aio email name oid preferred_username rh sid sub tid uti ver",
	} {
		token, err := fake.Mint(Token{Kind: kind, Version: 2, Scopes: []string{"tool.read"}})
		require.NoError(t, err)
		payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
		require.NoError(t, err)
		var names []string
		for _, found := range regexp.MustCompile(`[{,]"(\w+)":`).FindAllStringSubmatch(string(payload), -1) {
			names = append(names, found[1])
		}
		assert.Equal(t, want, strings.Join(names, " "), "kind %q", kind)
	}
}

// Whatever a claim holds, it is the JSON that encoding/json would write.
func TestClaimsAreJSON(t *testing.T) {
	t.Parallel()
	for _, value := range []any{
		"", "plain", `a "quote"`, `back\slash`, "new\nline", "\x00", "\x7f", "<&>", "Zoë", "\u2028", "\xff", int64(-1), int64(1) << 60, 7, 1.5, true, nil,
		[]string{"a<", "b"}, map[string]any{"b": 1, "a": "x"}, json.Number("12"),
	} {
		want := map[string]any{"value": value, "exp": value, `"odd`: value}
		text, err := appendClaims(nil, want)
		require.NoError(t, err)
		plain, err := json.Marshal(want)
		require.NoError(t, err)
		assert.JSONEq(t, string(plain), string(text))
	}
	_, err := appendClaims(nil, map[string]any{"aud": func() {}})
	assert.Error(t, err)
	empty, err := appendClaims(nil, nil)
	require.NoError(t, err)
	assert.Equal(t, "{}", string(empty))
}
