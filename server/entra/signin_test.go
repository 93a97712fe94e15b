package entra_test

import (
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
	"mcpentra/server/entra"
	"mcpentra/server/identity"
)

func TestSignInAgainstTheFake(t *testing.T) {
	t.Parallel()
	fake, err := fakeentra.New(fakeentra.Config{})
	require.NoError(t, err)
	client := newClient(t, forFake(fake))
	verifier := oauth2.GenerateVerifier()

	address, err := client.AuthorizationURL(t.Context(), signInRequest(verifier))
	require.NoError(t, err)
	back := visit(t, fake, address, false)
	require.Equal(t, "state", back.Get("state"))

	before := time.Now()
	tokens, err := client.Redeem(
		t.Context(),
		entra.Redemption{Code: back.Get("code"), Verifier: verifier, Nonce: "nonce"},
	)
	require.NoError(t, err)
	assert.Equal(t, entra.User{
		Principal: identity.Principal{
			Issuer:   fake.Issuer(directory.DefaultTenantID),
			TenantID: directory.DefaultTenantID,
			ObjectID: directory.DefaultUserID,
		},
		Name:       "Adele Vance",
		Username:   directory.DefaultUser,
		Attributes: identity.Attributes{Kind: identity.User},
	}, tokens.User)
	assert.Contains(t, tokens.Scopes, "User.Read")
	assert.NotEmpty(t, tokens.RefreshToken)
	assert.WithinRange(t, tokens.Expiry, before.Add(30*time.Minute), before.Add(25*time.Hour))

	me, err := client.Me(t.Context(), tokens.AccessToken)
	require.NoError(t, err)
	assert.Equal(t, "Adele Vance", me.DisplayName)
	assert.Equal(t, directory.DefaultUserID, me.ID)

	renewed, err := client.Refresh(t.Context(), tokens.RefreshToken, []string{"User.Read"})
	require.NoError(t, err)
	assert.NotEqual(t, tokens.AccessToken, renewed.AccessToken)
	assert.NotEmpty(t, renewed.RefreshToken)
	assert.Contains(t, renewed.Scopes, "User.Read")
}

func TestAuthorizationURL(t *testing.T) {
	t.Parallel()
	client := newClient(t, newIssuer(t).config())
	address, err := client.AuthorizationURL(t.Context(), entra.AuthorizationRequest{
		State:         "s",
		Nonce:         "n",
		CodeChallenge: "c",
		Scopes:        []string{"User.Read", "openid"},
		Prompt:        "login",
		LoginHint:     "adele@example.com",
	})
	require.NoError(t, err)
	u, err := url.Parse(address)
	require.NoError(t, err)
	assert.Equal(t, url.Values{
		"client_id":             {directory.DefaultClientID},
		"response_type":         {"code"},
		"response_mode":         {"query"},
		"state":                 {"s"},
		"nonce":                 {"n"},
		"redirect_uri":          {"http://localhost:8000/auth/callback"},
		"scope":                 {"openid profile offline_access User.Read"},
		"code_challenge":        {"c"},
		"code_challenge_method": {"S256"},
		"prompt":                {"login"},
		"login_hint":            {"adele@example.com"},
	}, u.Query())

	address, err = client.AuthorizationURL(t.Context(), entra.AuthorizationRequest{
		State:         "s",
		Nonce:         "n",
		CodeChallenge: "c",
		Prompt:        "select_account",
		LoginHint:     "adele@example.com",
	})
	require.NoError(t, err)
	assert.NotContains(t, address, "login_hint", "entra refuses it together with the account picker")

	for _, incomplete := range []entra.AuthorizationRequest{
		{Nonce: "n", CodeChallenge: "c"},
		{State: "s", CodeChallenge: "c"},
		{State: "s", Nonce: "n"},
	} {
		_, err := client.AuthorizationURL(t.Context(), incomplete)
		require.Error(t, err)
	}
}

func TestDeniedConsentHasAdvice(t *testing.T) {
	t.Parallel()
	fake, err := fakeentra.New(fakeentra.Config{})
	require.NoError(t, err)
	client := newClient(t, forFake(fake))
	address, err := client.AuthorizationURL(t.Context(), signInRequest(oauth2.GenerateVerifier()))
	require.NoError(t, err)
	back := visit(t, fake, address, true)
	refused := entra.AuthorizationError(back.Get("error"), back.Get("error_description"))
	assert.Equal(t, "access_denied", refused.Code)
}

// TestRedeemRefusesForeignIss wants the issuer in the answer to a sign-in, if the answer or the
// metadata says that it is there (RFC 9207 section 2.4).
func TestRedeemRefusesForeignIss(t *testing.T) {
	t.Parallel()
	fake, err := fakeentra.New(fakeentra.Config{})
	require.NoError(t, err)
	client := newClient(t, forFake(fake))
	own := fake.Issuer(directory.DefaultTenantID)
	for _, test := range []struct {
		name    string
		issuers []string
		fails   bool
	}{
		{"none", nil, false},
		{"the issuer", []string{own}, false},
		{"an empty one", []string{""}, true},
		{"another host", []string{"https://other.example"}, true},
		{"the issuer twice", []string{own, own}, true},
	} {
		verifier := oauth2.GenerateVerifier()
		address, err := client.AuthorizationURL(t.Context(), signInRequest(verifier))
		require.NoError(t, err)
		_, err = client.Redeem(t.Context(), entra.Redemption{
			Code:     visit(t, fake, address, false).Get("code"),
			Verifier: verifier,
			Nonce:    "nonce",
			Issuers:  test.issuers,
		})
		var foreign *entra.IssuerError
		assert.Equal(t, test.fails, errors.As(err, &foreign), "%s: %v", test.name, err)
	}
}

func TestRedeemNeedsSameVerifier(t *testing.T) {
	t.Parallel()
	fake, err := fakeentra.New(fakeentra.Config{})
	require.NoError(t, err)
	client := newClient(t, forFake(fake))
	verifier := oauth2.GenerateVerifier()
	address, err := client.AuthorizationURL(t.Context(), signInRequest(verifier))
	require.NoError(t, err)
	code := visit(t, fake, address, false).Get("code")

	_, err = client.Redeem(
		t.Context(),
		entra.Redemption{Code: code, Verifier: oauth2.GenerateVerifier(), Nonce: "nonce"},
	)
	var refused *entra.Error
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, 501481, refused.AADSTS)
	assert.False(t, refused.GrantOver(), "the right verifier still redeems the code")

	_, err = client.Redeem(t.Context(), entra.Redemption{Code: code, Verifier: verifier, Nonce: "another"})
	var bad *entra.IDTokenError
	require.ErrorAs(t, err, &bad)
}

func TestRefreshTellsEndFromFailure(t *testing.T) {
	t.Parallel()
	revoked := map[string]any{
		"error":             "invalid_grant",
		"error_description": "AADSTS50173: The provided grant has expired.",
		"error_codes":       []int{50173},
	}
	secondFactor := map[string]any{
		"error":       "interaction_required",
		"error_codes": []int{50076},
		"suberror":    "basic_action",
	}
	secretExpired := map[string]any{"error": "invalid_client", "error_codes": []int{7000222}}
	otherType := map[string]any{"access_token": "x", "token_type": "mac"}
	redirect := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	}
	tests := []struct {
		name    string
		answer  http.HandlerFunc
		refused bool // and not unavailable
		over    bool // the grant
		retry   time.Duration
	}{
		{name: "grant is revoked", answer: answering(400, revoked), refused: true, over: true},
		{name: "second factor is needed", answer: answering(400, secondFactor), refused: true, over: true},
		{name: "unknown number", answer: answering(400, invalidGrant(12345)), refused: true},
		{name: "no number", answer: answering(400, map[string]any{"error": "invalid_grant"}), refused: true},
		{name: "consent is missing", answer: answering(400, invalidGrant(65001)), refused: true, over: true},
		{name: "sign-in is too old", answer: answering(400, invalidGrant(70043)), refused: true, over: true},
		{name: "blocked by a policy", answer: answering(400, invalidGrant(53003)), refused: true, over: true},
		{name: "not assigned", answer: answering(400, invalidGrant(50105)), refused: true, over: true},
		{name: "loop", answer: answering(400, invalidGrant(50196)), retry: time.Minute},
		{name: "tenant is throttled", answer: answering(429, invalidGrant(90055)), retry: time.Minute},
		{name: "fault that passes", answer: answering(400, invalidGrant(90033)), retry: time.Minute},
		{name: "secret has expired", answer: answering(401, secretExpired), refused: true},
		{
			name:   "throttled in plain text",
			answer: writing(429, "Too Many Requests", "Retry-After", "60", "Content-Type", "text/plain"),
			retry:  time.Minute,
		},
		{name: "page of a gateway", answer: writing(502, "<html>", "Content-Type", "text/html")},
		{name: "success without JSON", answer: writing(200, "<html>")},
		{name: "another token type", answer: answering(200, otherType)},
		{name: "redirect", answer: redirect},
		{name: "temporary error", answer: answering(400, map[string]any{"error": "temporarily_unavailable"})},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			issuer := newIssuer(t)
			issuer.token = test.answer
			_, err := newClient(t, issuer.config()).Refresh(t.Context(), "refresh-token-canary", []string{"User.Read"})
			require.Error(t, err)
			assert.NotContains(t, err.Error(), "canary")
			var refused *entra.Error
			var unavailable *entra.UnavailableError
			if test.refused {
				require.ErrorAs(t, err, &refused)
				assert.Equal(t, test.over, refused.GrantOver())
				assert.Equal(t, refused.AADSTS != 0 && refused.AADSTS != 12345, refused.Advice != "")
				return
			}
			require.ErrorAs(t, err, &unavailable)
			assert.Equal(t, test.retry, unavailable.RetryAfter)
			assert.Zero(t, issuer.requests("elsewhere"), "redirects are not followed")
		})
	}
}

func TestRefreshSendsScopes(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t)
	var form url.Values
	issuer.token = func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		form = r.PostForm
		answer(w, 200, map[string]any{
			"token_type":   "Bearer",
			"access_token": "new",
			"expires_in":   "4719",
			"scope":        "https://graph.microsoft.com/User.Read openid",
		})
	}
	tokens, err := newClient(t, issuer.config()).Refresh(t.Context(), "old", []string{"User.Read"})
	require.NoError(t, err)
	assert.Equal(t, url.Values{
		"grant_type":    {"refresh_token"},
		"refresh_token": {"old"},
		"scope":         {"openid profile offline_access User.Read"},
		"client_id":     {directory.DefaultClientID},
		"client_secret": {"secret"},
	}, form)
	assert.Equal(t, &entra.Tokens{
		AccessToken:  "new",
		RefreshToken: "old",
		Expiry:       noon.Add(4719 * time.Second),
		Scopes:       []string{"User.Read", "openid"},
	}, tokens)
}
