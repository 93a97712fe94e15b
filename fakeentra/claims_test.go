package fakeentra_test

import (
	"encoding/base64"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
)

// Claims have the order of recorded tokens (testdata/entra/token-claims.json
// has their names only).
func TestOrderOfClaims(t *testing.T) {
	t.Parallel()
	fake, err := fakeentra.New(fakeentra.Config{})
	require.NoError(t, err)
	for _, test := range []struct {
		kind fakeentra.Kind
		want string
	}{
		{fakeentra.AccessToken, "aud iss iat nbf exp aio azp azpacr name oid preferred_username " +
			"rh scp sid sub tid uti ver xms_ftd"},
		{fakeentra.IDToken, "aud iss iat nbf exp aio email name oid preferred_username rh sid sub tid uti ver"},
	} {
		token, err := fake.Mint(fakeentra.Token{Kind: test.kind, Version: 2, Scopes: []string{"tool.read"}})
		require.NoError(t, err)
		payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
		require.NoError(t, err)
		var names []string
		for _, found := range regexp.MustCompile(`[{,]"(\w+)":`).FindAllStringSubmatch(string(payload), -1) {
			names = append(names, found[1])
		}
		assert.Equal(t, test.want, strings.Join(names, " "), "kind %q", test.kind)
	}
}
