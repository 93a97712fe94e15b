package fakeentra_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
	servertoken "mcpentra/server/token"
)

// publishedKeys are the keys of a fake as a server reads them.
func publishedKeys(t *testing.T, fake *fakeentra.Fake) jose.JSONWebKeySet {
	t.Helper()
	var set jose.JSONWebKeySet
	require.NoError(t, json.Unmarshal([]byte(get(t, fake, tenantURL+"/discovery/v2.0/keys").Body), &set))
	return set
}

// strict is how an API judges a token: signature, issuer, audience, times, then the person and the
// scope.
func strict(t *testing.T, fake *fakeentra.Fake, issuer, audience string) func(raw string) error {
	t.Helper()
	verifier := &servertoken.Verifier{
		Issuer:     issuer,
		Audiences:  []string{audience},
		Algorithms: []string{"RS256"},
		Types:      []string{"JWT"},
		Keys:       servertoken.StaticKeys(publishedKeys(t, fake).Keys...),
	}
	return func(raw string) error {
		verified, err := verifier.Verify(context.Background(), raw)
		if err != nil {
			return err
		}
		var claims struct {
			Scope string `json:"scp"`
			User  string `json:"oid"`
		}
		if err := verified.Decode(&claims); err != nil {
			return err
		}
		if claims.Scope == "" || claims.User == "" {
			return errors.New("no scope")
		}
		return nil
	}
}

func TestBadTokensAreBad(t *testing.T) {
	t.Parallel()
	for _, version := range []int{1, 2} {
		d := directory.Default()
		d.Tenants[0].Apps[1].TokenVersion = version
		fake := newFake(t, fakeentra.Config{Directory: d})
		issuer := fake.Issuer(directory.DefaultTenantID)
		audience := directory.DefaultAPIID
		if version == 1 {
			issuer = "https://sts.windows.net/" + directory.DefaultTenantID + "/"
			audience = "api://" + directory.DefaultAPIID
		}
		judge := strict(t, fake, issuer, audience)
		good, err := fake.Mint(fakeentra.Token{})
		require.NoError(t, err)
		require.NoError(t, judge(good))
		bad, err := fake.BadTokens(fakeentra.Token{})
		require.NoError(t, err)
		assert.Greater(t, len(bad), 25)
		names := map[string]bool{}
		reasons := map[string]bool{}
		for _, one := range bad {
			assert.Error(t, judge(one.Token), one.Name)
			assert.False(t, names[one.Name], one.Name)
			assert.False(t, reasons[one.Why], one.Why)
			names[one.Name] = true
			reasons[one.Why] = true
		}
		assert.Equal(t, version == 2, names["v1-for-v2"])
		assert.Equal(t, version == 1, names["v2-for-v1"])
	}
}

// A bad token is bad in one thing: where that is not the signature, the published key has signed
// it.
func TestBadTokensAreGoodOtherwise(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{})
	bad, err := fake.BadTokens(fakeentra.Token{})
	require.NoError(t, err)
	set := publishedKeys(t, fake)
	unsigned := []string{
		"alg-none",
		"alg-none-mixed-case",
		"hs256-public-key",
		"no-signature",
		"broken-signature",
		"changed-payload",
		"unknown-key",
		"unknown-kid",
		"key-in-header",
		"key-by-address",
		"four-parts",
		"not-a-token",
		"graph-token",
		"critical-extension",
	}
	for _, one := range bad {
		signed, err := jose.ParseSignedCompact(one.Token, []jose.SignatureAlgorithm{jose.RS256})
		if err == nil {
			_, err = signed.Verify(set)
		}
		if name := one.Name; !slices.Contains(unsigned, name) {
			assert.NoError(t, err, name)
		} else {
			assert.Error(t, err, name)
		}
	}
}

func TestBadTokensOfAGoodOneWithClaims(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{})
	good := fakeentra.Token{
		Claims: map[string]any{"roles": []string{"reader"}},
		User:   "AlexW@contoso.onmicrosoft.com",
		Scopes: []string{"tool.read"},
	}
	bad, err := fake.BadTokens(good)
	require.NoError(t, err)
	_, payload := claims(t, bad[0].Token)
	assert.Equal(t, []any{"reader"}, payload["roles"])
	assert.Equal(t, "Alex Wilber", payload["name"])
	assert.Len(t, good.Claims, 1, "the caller's map is left alone")
	_, err = fake.BadTokens(fakeentra.Token{Kind: fakeentra.IDToken})
	require.ErrorContains(t, err, "want an access token")
	_, err = fake.BadTokens(fakeentra.Token{User: "missing@contoso.onmicrosoft.com"})
	assert.ErrorContains(t, err, "no user missing")
}

func TestMintKinds(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	fake := newFake(t, fakeentra.Config{Now: func() time.Time { return now }})
	mint := func(want fakeentra.Token) (header, payload map[string]any) {
		t.Helper()
		raw, err := fake.Mint(want)
		require.NoError(t, err)
		return claims(t, raw)
	}
	header, payload := mint(fakeentra.Token{Kind: fakeentra.AppToken})
	assert.NotContains(t, payload, "scp")
	assert.Equal(t, payload["sub"], payload["oid"])
	assert.NotContains(t, header, "x5t")

	_, payload = mint(fakeentra.Token{Kind: fakeentra.IDToken, Nonce: "n"})
	assert.Equal(t, directory.DefaultClientID, payload["aud"])
	assert.Equal(t, "n", payload["nonce"])
	assert.Equal(t, "2.0", payload["ver"])
	_, payload = mint(fakeentra.Token{Kind: fakeentra.IDToken, Version: 1})
	assert.Equal(t, "1.0", payload["ver"])

	header, payload = mint(fakeentra.Token{Kind: fakeentra.GraphToken})
	assert.Equal(t, "https://graph.microsoft.com", payload["aud"])
	assert.Contains(t, header, "nonce")
	header, payload = mint(fakeentra.Token{Version: 1})
	assert.Equal(t, "api://"+directory.DefaultAPIID, payload["aud"])
	assert.Equal(t, header["kid"], header["x5t"])

	_, payload = mint(
		fakeentra.Token{
			Age:      time.Hour,
			Lifetime: 90 * time.Minute,
			Claims:   map[string]any{"uti": nil, "extra": 1},
			Edit:     func(claims map[string]any) { claims["edited"] = true },
		},
	)
	assert.EqualValues(t, now.Add(30*time.Minute).Unix(), payload["exp"])
	assert.EqualValues(t, now.Add(-65*time.Minute).Unix(), payload["iat"])
	assert.NotContains(t, payload, "uti")
	assert.EqualValues(t, 1, payload["extra"])
	assert.Equal(t, true, payload["edited"])

	header, _ = mint(fakeentra.Token{Header: map[string]any{"typ": "at+jwt", "kid": nil}})
	assert.Equal(t, map[string]any{"typ": "at+jwt", "alg": "RS256"}, header)
}

// A minted token is as good as one that was issued.
func TestMintedTokensWork(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{})
	me := func(want fakeentra.Token) int {
		raw, err := fake.Mint(want)
		require.NoError(t, err)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://graph.microsoft.com/v1.0/me", nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+raw)
		return do(t, fake, r).Status
	}
	assert.Equal(t, http.StatusOK, me(fakeentra.Token{Kind: fakeentra.GraphToken}))
	assert.Equal(
		t,
		http.StatusForbidden,
		me(fakeentra.Token{Kind: fakeentra.GraphToken, Scopes: []string{"Mail.Read"}}),
	)
	assert.Equal(
		t,
		http.StatusUnauthorized,
		me(fakeentra.Token{Kind: fakeentra.GraphToken, Key: fakeentra.StrangerKey}),
	)
	assert.Equal(t, http.StatusUnauthorized, me(fakeentra.Token{Kind: fakeentra.GraphToken, Age: 2 * time.Hour}))
	assert.Equal(t, http.StatusUnauthorized, me(fakeentra.Token{}))
}

func TestMintKeysAndAlgorithms(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{})
	good := func(want fakeentra.Token, algorithm jose.SignatureAlgorithm) bool {
		raw, err := fake.Mint(want)
		require.NoError(t, err)
		signed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{algorithm})
		require.NoError(t, err)
		_, err = signed.Verify(publishedKeys(t, fake))
		return err == nil
	}
	for _, key := range []fakeentra.Key{fakeentra.PresentKey, fakeentra.NextKey, fakeentra.PreviousKey} {
		assert.True(t, good(fakeentra.Token{Key: key}, jose.RS256), key)
	}
	assert.False(t, good(fakeentra.Token{Key: fakeentra.StrangerKey}, jose.RS256))
	for _, algorithm := range []string{"RS384", "RS512", "PS256"} {
		assert.True(t, good(fakeentra.Token{Algorithm: algorithm}, jose.SignatureAlgorithm(algorithm)), algorithm)
	}
	next, err := fake.Mint(fakeentra.Token{Key: fakeentra.NextKey})
	require.NoError(t, err)
	require.NoError(t, fake.Rotate())
	present, err := fake.Mint(fakeentra.Token{})
	require.NoError(t, err)
	assert.Equal(t, strings.Split(next, ".")[0], strings.Split(present, ".")[0], "the next key signs after a rollover")
}

func TestMintRefusals(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{})
	for _, test := range []struct {
		text string
		want fakeentra.Token
	}{
		{"no tenant fabrikam", fakeentra.Token{Tenant: "fabrikam"}},
		{"no user missing", fakeentra.Token{User: "missing"}},
		{"no app nothing", fakeentra.Token{Client: "nothing"}},
		{"no API nothing", fakeentra.Token{API: "nothing"}},
		{`unknown kind of token "x"`, fakeentra.Token{Kind: "x"}},
		{`unknown key "x"`, fakeentra.Token{Key: "x"}},
		{`unknown algorithm "x"`, fakeentra.Token{Algorithm: "x"}},
		{"1 or 2 as version", fakeentra.Token{Version: 3}},
		{"mint: the claims", fakeentra.Token{Claims: map[string]any{"f": func() {}}}},
		{"mint: the header", fakeentra.Token{Header: map[string]any{"f": func() {}}}},
	} {
		_, err := fake.Mint(test.want)
		assert.ErrorContains(t, err, test.text)
	}
}
