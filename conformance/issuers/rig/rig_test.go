package rig_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"mcpentra/conformance/issuers/rig"
)

// A relyingParty is a client of the provider, from a library.
type relyingParty struct {
	config   oauth2.Config
	verifier *oidc.IDTokenVerifier
}

func listen(t *testing.T) *rig.Provider {
	t.Helper()
	provider, err := rig.Listen(rig.Config{Address: "127.0.0.1:0", Claims: map[string]any{"tid": "a tenant"}})
	require.NoError(t, err)
	t.Cleanup(provider.Close)
	return provider
}

func newRelyingParty(t *testing.T, issuer string) *relyingParty {
	t.Helper()
	found, err := oidc.NewProvider(t.Context(), issuer)
	require.NoError(t, err)
	return &relyingParty{
		config: oauth2.Config{
			ClientID:     "facade",
			ClientSecret: "any",
			RedirectURL:  "http://localhost:9000/callback",
			Endpoint:     found.Endpoint(),
			Scopes:       []string{"openid", "profile"},
		},
		verifier: found.Verifier(&oidc.Config{ClientID: "facade"}),
	}
}

// answer returns the answer to an authorization request.
func (p *relyingParty) answer(t *testing.T, verifier string) url.Values {
	t.Helper()
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Get(p.config.AuthCodeURL("s", oidc.Nonce("n"), oauth2.S256ChallengeOption(verifier)))
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	target, err := response.Location()
	require.NoError(t, err)
	return target.Query()
}

// redeem redeems a code, and verifies the ID token.
func (p *relyingParty) redeem(ctx context.Context, code, verifier string) (*oauth2.Token, *oidc.IDToken, error) {
	tokens, err := p.config.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		return nil, nil, err
	}
	raw, _ := tokens.Extra("id_token").(string)
	verified, err := p.verifier.Verify(ctx, raw)
	return tokens, verified, err
}

// TestSignInWorks lets a library sign in at an issuer with a path.
func TestSignInWorks(t *testing.T) {
	t.Parallel()
	provider := listen(t)
	issuer := provider.URL + "/tenant/v2.0"
	party := newRelyingParty(t, issuer)
	verifier := oauth2.GenerateVerifier()
	answer := party.answer(t, verifier)
	assert.Equal(t, "s", answer.Get("state"))
	assert.Equal(t, issuer, answer.Get("iss"))
	tokens, verified, err := party.redeem(t.Context(), answer.Get("code"), verifier)
	require.NoError(t, err)
	assert.Equal(t, "n", verified.Nonce)
	var claims map[string]any
	require.NoError(t, verified.Claims(&claims))
	assert.Equal(t, "a tenant", claims["tid"])
	found, isOurs := provider.SignIn(answer.Get("code"))
	assert.True(t, isOurs)
	assert.True(t, found.AsksForIDToken())
	assert.Contains(t, found.Tokens, tokens.AccessToken)
	assert.NotNil(t, found.Redemption)

	_, _, err = party.redeem(t.Context(), answer.Get("code"), verifier)
	assert.ErrorContains(t, err, "invalid_grant", "a code counts once")
	other := party.answer(t, verifier)
	_, _, err = party.redeem(t.Context(), other.Get("code"), oauth2.GenerateVerifier())
	assert.ErrorContains(t, err, "invalid_grant", "a code needs its verifier")
}

// TestChangesArePerSignIn changes one sign-in, and leaves the next one alone.
func TestChangesArePerSignIn(t *testing.T) {
	t.Parallel()
	provider := listen(t)
	party := newRelyingParty(t, provider.URL)
	for _, test := range []struct {
		want   string
		change rig.Change
	}{
		{"expected audience", rig.Change{Claims: func(claims map[string]any) { claims["aud"] = "other" }}},
		{"", rig.Change{}},
		{"unexpected signature algorithm", rig.Change{Unsigned: true}},
		{"failed to verify id token signature", rig.Change{ForeignKey: true}},
		{"malformed jwt", rig.Change{Members: func(members map[string]any) { delete(members, "id_token") }}},
		{"404", rig.Change{Token: http.NotFoundHandler()}},
	} {
		verifier := oauth2.GenerateVerifier()
		code := party.answer(t, verifier).Get("code")
		assert.True(t, provider.Change(code, test.change))
		_, _, err := party.redeem(t.Context(), code, verifier)
		if test.want == "" {
			assert.NoError(t, err)
			continue
		}
		assert.ErrorContains(t, err, test.want)
	}
	assert.False(t, provider.Change("unknown", rig.Change{}))
}

// TestPaddingIsRead redeems a code whose token response has another member of 100,000 bytes.
func TestPaddingIsRead(t *testing.T) {
	t.Parallel()
	provider := listen(t)
	party := newRelyingParty(t, provider.URL)
	verifier := oauth2.GenerateVerifier()
	code := party.answer(t, verifier).Get("code")
	require.True(t, provider.Change(code, rig.Change{Padding: 100_000}))
	tokens, _, err := party.redeem(t.Context(), code, verifier)
	require.NoError(t, err)
	assert.Equal(t, strings.Repeat("x", 100_000), tokens.Extra("mcp_auth_conformance"))
}

// TestEndRefusesTokens ends a grant, and wants its tokens refused.
func TestEndRefusesTokens(t *testing.T) {
	t.Parallel()
	provider := listen(t)
	party := newRelyingParty(t, provider.URL)
	verifier := oauth2.GenerateVerifier()
	code := party.answer(t, verifier).Get("code")
	tokens, _, err := party.redeem(t.Context(), code, verifier)
	require.NoError(t, err)
	renew := func() error {
		_, err := party.config.TokenSource(t.Context(), &oauth2.Token{RefreshToken: tokens.RefreshToken}).Token()
		return err
	}
	profile := func() int {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, provider.URL+"/userinfo", nil)
		require.NoError(t, err)
		tokens.SetAuthHeader(request)
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		return response.StatusCode
	}
	assert.Equal(t, http.StatusOK, profile())
	provider.End(code)
	assert.Equal(t, http.StatusUnauthorized, profile())
	assert.ErrorContains(t, renew(), "invalid_grant")
}

// TestRenameTellsAnotherIssuer makes a provider whose metadata a library refuses.
func TestRenameTellsAnotherIssuer(t *testing.T) {
	t.Parallel()
	provider, err := listen(t).Another()
	require.NoError(t, err)
	t.Cleanup(provider.Close)
	provider.Rename(func(string) string { return "https://other.example" })
	_, err = oidc.NewProvider(t.Context(), provider.URL)
	assert.ErrorContains(t, err, "did not match the issuer")
}
