package fakeentra_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/journal"
)

const capable = `{"access_token":{"xms_cc":{"values":["cp1"]}}}`

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// newStillFake makes a fake whose clock stands still, so no event is later than another.
func newStillFake(t *testing.T, config fakeentra.Config) *fakeentra.Fake {
	t.Helper()
	config.AutoSignIn = true
	config.Now = func() time.Time { return noon }
	return newFake(t, config)
}

// graphMe asks Graph for the profile of the bearer.
func graphMe(t *testing.T, fake *fakeentra.Fake, raw string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://graph.microsoft.com/v1.0/me", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+raw)
	return do(t, fake, r)
}

// signInCapable signs in with a client that declares cp1.
func signInCapable(t *testing.T, fake *fakeentra.Fake) answer {
	t.Helper()
	got := token(t, fake, redemption(signIn(t, fake, map[string]string{"claims": capable}), nil))
	require.Equal(t, http.StatusOK, got.Status, got.Body)
	return got
}

func TestLongLifetime(t *testing.T) {
	t.Parallel()
	lists := changed(func(t *directory.Tenant) { t.Apps[1].OptionalClaims.AccessToken = []string{"xms_cc"} })
	appOnly := func(t *testing.T, fake *fakeentra.Fake) answer {
		return token(t, fake, url.Values{
			"grant_type":    {"client_credentials"},
			"client_id":     {directory.DefaultClientID},
			"client_secret": {directory.DefaultClientSecret},
			"scope":         {"https://graph.microsoft.com/.default"},
			"claims":        {capable},
		})
	}
	declaredLater := func(t *testing.T, fake *fakeentra.Fake) answer {
		return token(t, fake, redemption(signIn(t, fake, nil), map[string]string{"claims": capable}))
	}
	refreshed := func(before, after string) func(t *testing.T, fake *fakeentra.Fake) answer {
		return func(t *testing.T, fake *fakeentra.Fake) answer {
			code := signIn(t, fake, map[string]string{"claims": before})
			refresh := token(t, fake, redemption(code, nil)).text("refresh_token")
			return token(t, fake, refreshing(refresh, map[string]string{"claims": after}))
		}
	}
	signedIn := func(scope, claims string) func(t *testing.T, fake *fakeentra.Fake) answer {
		return func(t *testing.T, fake *fakeentra.Fake) answer {
			return token(t, fake, redemption(signIn(t, fake, map[string]string{"scope": scope, "claims": claims}), nil))
		}
	}
	for _, test := range []struct {
		name   string
		config fakeentra.Config
		get    func(t *testing.T, fake *fakeentra.Fake) answer
		long   bool
		shown  bool // the token has xms_cc
	}{
		{"Graph", fakeentra.Config{}, signedIn("User.Read", capable), true, true},
		{"CP1", fakeentra.Config{}, signedIn("User.Read", strings.Replace(capable, "cp1", "CP1", 1)), true, true},
		{"no capability", fakeentra.Config{}, signedIn("User.Read", ""), false, false},
		{"another capability", fakeentra.Config{},
			signedIn("User.Read", strings.Replace(capable, "cp1", "cp2", 1)), false, false},
		{"an API", fakeentra.Config{}, signedIn(apiScope, capable), false, false},
		{"an API that lists xms_cc", fakeentra.Config{Directory: lists}, signedIn(apiScope, capable), false, true},
		{"client credentials", fakeentra.Config{}, appOnly, false, true},
		{"declared at the token endpoint", fakeentra.Config{}, declaredLater, true, true},
		{"a refresh without the declaration", fakeentra.Config{}, refreshed(capable, ""), false, false},
		{"a refresh with the declaration", fakeentra.Config{}, refreshed("", capable), true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.config.AutoSignIn = true
			got := test.get(t, newFake(t, test.config))
			require.Equal(t, http.StatusOK, got.Status, got.Body)
			seconds, _ := got.JSON["expires_in"].(float64)
			refresh, hasRefresh := got.JSON["refresh_in"].(float64)
			_, payload := claims(t, got.text("access_token"))
			lifetime := payload["exp"].(float64) - payload["iat"].(float64)
			assert.InDelta(t, seconds+301, lifetime, 0)
			assert.Equal(t, test.long, hasRefresh)
			if test.long {
				assert.GreaterOrEqual(t, seconds, float64(20*3600-1))
				assert.Less(t, seconds, float64(28*3600))
				assert.InDelta(t, seconds/2, refresh, 1)
				assert.Equal(t, []string{"token_type", "scope", "expires_in", "ext_expires_in", "refresh_in"},
					members(t, got.Body)[:5])
			} else {
				assert.Less(t, seconds, float64(5400))
			}
			assert.Equal(t, test.shown, payload["xms_cc"] != nil, payload["xms_cc"])
		})
	}
}

// Graph's answer to a revoked token, and the refresh after it, as recorded.
func TestRevokedAtGraph(t *testing.T) {
	t.Parallel()
	var want struct {
		Source, Challenge, PoPChallenge, Claims string
		Document, Refresh                       json.RawMessage
	}
	readGolden(t, "revocation.json", &want)
	for _, pop := range []bool{false, true} {
		fake := newStillFake(t, fakeentra.Config{PoPChallenge: pop})
		old := signInCapable(t, fake)
		require.Equal(t, http.StatusOK, graphMe(t, fake, old.text("access_token")).Status)
		require.NoError(t, fake.RevokeSessions(directory.DefaultUser))
		fake.Advance(30 * time.Second)

		got := graphMe(t, fake, old.text("access_token"))
		assert.Equal(t, http.StatusUnauthorized, got.Status)
		same(t, "the answer", want.Document, json.RawMessage(got.Body))
		asked := strings.Replace(want.Claims, "{seconds}", strconv.FormatInt(noon.Unix()+30, 10), 1)
		challenge := strings.Replace(want.Challenge, "{claims}", base64.StdEncoding.EncodeToString([]byte(asked)), 1)
		shown := got.Header.Get("WWW-Authenticate")
		if pop {
			start := strings.Replace(regexp.QuoteMeta(want.PoPChallenge), `\{nonce\}`, `[\w-]{43}`, 1)
			assert.Regexp(t, "^"+start+"Bearer ", shown)
			shown = shown[strings.Index(shown, "Bearer "):]
		}
		assert.Equal(t, challenge, shown)

		merged := map[string]string{"claims": `{"access_token":{"nbf":{"essential":true,"value":"` +
			strconv.FormatInt(noon.Unix()+30, 10) + `"},"xms_cc":{"values":["cp1"]}}}`}
		refused := token(t, fake, refreshing(old.text("refresh_token"), merged))
		assert.Equal(t, http.StatusBadRequest, refused.Status)
		same(t, "the refresh", want.Refresh, json.RawMessage(refused.Body))
		again := token(t, fake, redemption(signIn(t, fake, merged), nil))
		assert.NotNil(t, again.JSON["refresh_in"])
		assert.Equal(t, http.StatusOK, graphMe(t, fake, again.text("access_token")).Status)
	}
}

// A test can sign in again in the second of the event, or with a clock that stands still.
func TestRevocationWithoutAClock(t *testing.T) {
	t.Parallel()
	fake := newStillFake(t, fakeentra.Config{})
	var tokens []answer
	for range 3 {
		tokens = append(tokens, signInCapable(t, fake))
		require.NoError(t, fake.RevokeSessions(directory.DefaultUser))
	}
	last := signInCapable(t, fake)
	other := token(t, fake, redemption(signIn(t, fake, map[string]string{"login_hint": otherUser}), nil))
	for i, old := range tokens {
		assert.Equal(t, http.StatusUnauthorized, graphMe(t, fake, old.text("access_token")).Status, i)
		assert.Equal(t, 50173, token(t, fake, refreshing(old.text("refresh_token"), nil)).number(t), i)
	}
	for _, good := range []answer{last, other} {
		assert.Equal(t, http.StatusOK, graphMe(t, fake, good.text("access_token")).Status)
		assert.Equal(t, http.StatusOK, token(t, fake, refreshing(good.text("refresh_token"), nil)).Status)
	}
	waiting := signIn(t, fake, nil)
	require.NoError(t, fake.RevokeSessions(directory.DefaultUser))
	assert.Equal(t, 50173, token(t, fake, redemption(waiting, nil)).number(t), "a code from before the event")
}

func TestRevocationEvents(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		event   fakeentra.RevocationEvent
		refresh int
		returns bool // the person can sign in again
	}{
		{"", 50173, true},
		{fakeentra.SessionsRevoked, 50173, true},
		{fakeentra.PasswordChanged, 50173, true},
		{fakeentra.AccountDisabled, 50057, false},
		{fakeentra.AccountDeleted, 50173, false},
		{fakeentra.MFAEnabled, 50173, true},
		{fakeentra.UserRisk, 50173, true},
	} {
		t.Run(string(test.event), func(t *testing.T) {
			t.Parallel()
			d := changed(func(t *directory.Tenant) {
				t.Groups = []directory.Group{{
					ID:      "5a1e0005-0000-4000-8000-000000000001",
					Members: []string{t.Users[0].ID},
				}}
			})
			fake := newStillFake(t, fakeentra.Config{Directory: d})
			capable := signInCapable(t, fake)
			usual := token(t, fake, redemption(signIn(t, fake, nil), nil))
			forAPI := token(t, fake, redemption(signIn(t, fake, map[string]string{"scope": apiScope}), nil))
			require.True(t, fake.TokenState(forAPI.text("access_token")).Active)
			before := fake.Directory()

			require.NoError(t, fake.Revoke(fakeentra.Revocation{User: directory.DefaultUser, Event: test.event}))
			assert.Equal(t, http.StatusUnauthorized, graphMe(t, fake, capable.text("access_token")).Status)
			assert.Equal(t, test.refresh, token(t, fake, refreshing(capable.text("refresh_token"), nil)).number(t))
			isKnown := test.event != fakeentra.AccountDeleted
			assert.Equal(t, isKnown, graphMe(t, fake, usual.text("access_token")).Status == http.StatusOK,
				"a token without the capability ends when it expires")
			state := fake.TokenState(forAPI.text("access_token"))
			assert.False(t, state.Active)
			if test.event != "" {
				assert.Equal(t, string(test.event), state.Reason)
			}
			challenge, err := base64.StdEncoding.DecodeString(state.Claims)
			require.NoError(t, err)
			assert.Contains(t, string(challenge), `{"access_token":{"nbf":{"essential":true, "value":"`)
			assert.False(t, before.Tenants[0].Users[0].Disabled, "the directory in the caller's hand stays as it was")
			present := fake.Directory()
			require.NoError(t, present.Check())
			again := authorize(t, fake, request(map[string]string{"login_hint": directory.DefaultUser}))
			code := ""
			if again.Status == http.StatusFound {
				code = returned(t, again).Get("code")
			}
			if test.returns {
				assert.Equal(t, http.StatusOK, token(t, fake, redemption(code, nil)).Status)
			} else if code != "" {
				_, payload := claims(t, token(t, fake, redemption(code, nil)).text("id_token"))
				assert.NotEqual(t, directory.DefaultUser, payload["preferred_username"])
			}
		})
	}
}

func TestRevocationIsLate(t *testing.T) {
	t.Parallel()
	fake := newStillFake(t, fakeentra.Config{})
	signedIn := signInCapable(t, fake)
	raw := signedIn.text("access_token")
	require.NoError(t, fake.Revoke(fakeentra.Revocation{User: directory.DefaultUser, Delay: 15 * time.Minute}))
	assert.Equal(t, 50173, token(t, fake, refreshing(signedIn.text("refresh_token"), nil)).number(t))
	fake.Advance(15*time.Minute - time.Second)
	assert.Equal(t, http.StatusOK, graphMe(t, fake, raw).Status)
	assert.True(t, fake.TokenState(raw).Active)
	fake.Advance(time.Second)
	assert.Equal(t, http.StatusUnauthorized, graphMe(t, fake, raw).Status)
	require.NoError(t, fake.Revoke(fakeentra.Revocation{User: directory.DefaultUser, Delay: time.Hour}))
	assert.Equal(t, http.StatusUnauthorized, graphMe(t, fake, raw).Status, "a later event takes nothing back")

	for want, revocation := range map[string]fakeentra.Revocation{
		"no user missing":           {User: "missing"},
		"as event, got \"retired\"": {User: directory.DefaultUser, Event: "retired"},
		"want a delay of 0 or more": {User: directory.DefaultUser, Delay: -time.Second},
	} {
		assert.ErrorContains(t, fake.Revoke(revocation), want)
	}
}

// An API can ask about any token of the fake.
func TestTokenState(t *testing.T) {
	t.Parallel()
	fake := newStillFake(t, fakeentra.Config{})
	mint := func(want fakeentra.Token) string {
		raw, err := fake.Mint(want)
		require.NoError(t, err)
		return raw
	}
	person := mint(fakeentra.Token{})
	app := mint(fakeentra.Token{Kind: fakeentra.AppToken})
	old := mint(fakeentra.Token{Age: 2 * time.Hour})
	require.NoError(t, fake.RevokeSessions(directory.DefaultUser))
	later := mint(fakeentra.Token{})
	for _, test := range []struct{ name, token, reason string }{
		{"before the event", person, "sessions revoked"},
		{"after the event", later, ""},
		{"app-only", app, ""},
		{"expired", old, "expired"},
		{"garbage", "garbage", "foreign"},
		{"stranger", mint(fakeentra.Token{Key: fakeentra.StrangerKey}), "foreign"},
	} {
		got := fake.TokenState(test.token)
		assert.Equal(t, test.reason, got.Reason, test.name)
		assert.Equal(t, test.reason == "", got.Active, test.name)
	}
}

// The middle tier cannot use a token from before the event.
func TestOnBehalfOfAfterRevocation(t *testing.T) {
	t.Parallel()
	d, _, _ := directoryOfApps(t)
	fake := newStillFake(t, fakeentra.Config{Directory: d})
	raw, err := fake.Mint(fakeentra.Token{API: middleTierID})
	require.NoError(t, err)
	form := redemption("", map[string]string{
		"grant_type":          "urn:ietf:params:oauth:grant-type:jwt-bearer",
		"client_id":           middleTierID,
		"client_secret":       "middle",
		"assertion":           raw,
		"requested_token_use": "on_behalf_of",
		"scope":               "User.Read",
		"claims":              capable,
	})
	got := token(t, fake, form)
	require.Equal(t, http.StatusOK, got.Status, got.Body)
	assert.NotNil(t, got.JSON["refresh_in"])
	require.NoError(t, fake.RevokeSessions(directory.DefaultUser))
	assert.Equal(t, 50173, token(t, fake, form).number(t))
	assert.Equal(t, http.StatusUnauthorized, graphMe(t, fake, got.text("access_token")).Status)
}

// MSAL sends the claims of Graph's challenge back, beside its own capability.
func TestMSALClaimsChallenge(t *testing.T) {
	t.Parallel()
	fake := newStillFake(t, fakeentra.Config{PoPChallenge: true})
	credential, err := confidential.NewCredFromSecret(directory.DefaultClientSecret)
	require.NoError(t, err)
	client, err := confidential.New(tenantURL, directory.DefaultClientID, credential,
		confidential.WithHTTPClient(fake.Client()), confidential.WithClientCapabilities([]string{"cp1"}))
	require.NoError(t, err)
	scopes := []string{"User.Read"}
	acquire := func(challenge string) confidential.AuthResult {
		address, err := client.AuthCodeURL(t.Context(), directory.DefaultClientID, callback, scopes,
			confidential.WithClaims(challenge))
		require.NoError(t, err)
		code := returned(t, get(t, fake, address)).Get("code")
		result, err := client.AcquireTokenByAuthCode(t.Context(), code, callback, scopes,
			confidential.WithClaims(challenge))
		require.NoError(t, err)
		return result
	}
	first := acquire("")
	require.Equal(t, http.StatusOK, graphMe(t, fake, first.AccessToken).Status)
	silent, err := client.AcquireTokenSilent(t.Context(), scopes, confidential.WithSilentAccount(first.Account))
	require.NoError(t, err)
	assert.Equal(t, first.AccessToken, silent.AccessToken, "the cache holds the long-lived token")

	require.NoError(t, fake.RevokeSessions(directory.DefaultUser))
	refused := graphMe(t, fake, first.AccessToken)
	require.Equal(t, http.StatusUnauthorized, refused.Status)
	match := regexp.MustCompile(`error="insufficient_claims", claims="([^"]+)"`).
		FindStringSubmatch(refused.Header.Get("WWW-Authenticate"))
	require.Len(t, match, 2)
	challenge, err := base64.StdEncoding.DecodeString(match[1])
	require.NoError(t, err)
	_, err = client.AcquireTokenSilent(t.Context(), scopes,
		confidential.WithSilentAccount(first.Account), confidential.WithClaims(string(challenge)))
	require.ErrorContains(t, err, "call another AcquireToken method", "this library does not try the refresh token")

	again := acquire(string(challenge))
	redemptions := fake.Journal().Entries(journal.Filter{Grant: "authorization_code"})
	require.Len(t, redemptions, 2)
	assert.JSONEq(t, `{"access_token": {"nbf": {"essential": true, "value": "`+strconv.FormatInt(noon.Unix(), 10)+`"},
		"xms_cc": {"values": ["cp1"]}}}`, redemptions[1].Form.Get("claims"))
	assert.Equal(t, http.StatusOK, graphMe(t, fake, again.AccessToken).Status)
}
