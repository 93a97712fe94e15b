package fakeentra_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

func TestCodeRedemption(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{AutoSignIn: true})
	got := token(
		t,
		fake,
		redemption(signIn(t, fake, map[string]string{"scope": "openid profile email offline_access " + apiScope}), nil),
	)
	require.Equal(t, http.StatusOK, got.Status, got.Body)
	assert.Equal(
		t,
		[]string{"token_type", "scope", "expires_in", "ext_expires_in", "access_token", "refresh_token", "id_token"},
		members(t, got.Body),
	)
	assert.Equal(t, apiScope, got.text("scope"))
	assert.Contains(t, got.Header.Get("Cache-Control"), "no-store")

	header, access := claims(t, got.text("access_token"))
	assert.Equal(t, "RS256", header["alg"])
	assert.Equal(t, "JWT", header["typ"])
	assert.Equal(t, directory.DefaultAPIID, access["aud"], "a v2 token names the API by its application ID")
	assert.Equal(t, fake.Issuer(directory.DefaultTenantID), access["iss"])
	assert.Equal(t, "tool.read", access["scp"], "unqualified")
	assert.Equal(t, directory.DefaultClientID, access["azp"])
	assert.Equal(t, directory.DefaultUserID, access["oid"])
	assert.Equal(t, directory.DefaultTenantID, access["tid"])
	assert.Equal(t, "2.0", access["ver"])
	_, id := claims(t, got.text("id_token"))
	assert.Equal(t, directory.DefaultClientID, id["aud"])
	assert.Equal(t, "a-nonce", id["nonce"])
	assert.Equal(t, "Adele Vance", id["name"])
	assert.Equal(t, directory.DefaultUser, id["email"])
	assert.NotEqual(t, id["sub"], access["sub"], "a person's sub is another one at each app")

	verifies(t, fake, got.text("access_token"))
	verifies(t, fake, got.text("id_token"))
}

func verify(t *testing.T, fake *fakeentra.Fake, raw string) error {
	t.Helper()
	var keys jose.JSONWebKeySet
	body := get(t, fake, tenantURL+"/discovery/v2.0/keys").Body
	require.NoError(t, decode(body, &keys))
	signed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.RS256})
	require.NoError(t, err)
	found := keys.Key(signed.Signatures[0].Header.KeyID)
	require.Len(t, found, 1)
	_, err = signed.Verify(found[0].Key)
	return err
}

// A token for Graph is for Graph alone: verification with the published keys fails, as with
// Entra ID.
func TestGraphTokenCannotBeVerified(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{AutoSignIn: true})
	got := token(t, fake, redemption(signIn(t, fake, nil), nil))
	raw := got.text("access_token")
	require.Error(t, verify(t, fake, raw))
	header, payload := claims(t, raw)
	assert.NotEmpty(t, header["nonce"])
	assert.Equal(t, "https://graph.microsoft.com", payload["aud"])
	assert.Equal(t, "https://sts.windows.net/"+directory.DefaultTenantID+"/", payload["iss"])

	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://graph.microsoft.com/v1.0/me", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+raw)
	me := do(t, fake, r)
	assert.Equal(t, http.StatusOK, me.Status, me.Body)
	assert.Equal(t, "Adele Vance", me.text("displayName"))
}

func TestCodeRefusals(t *testing.T) {
	t.Parallel()
	const otherAPI = "5a1e0003-0000-4000-8000-000000000001"
	for _, test := range []struct {
		name    string
		changes map[string]string
		status  int
		code    string
		number  int
	}{
		{"no grant type", map[string]string{"grant_type": ""}, 400, "invalid_request", 900144},
		{"an unknown grant type", map[string]string{"grant_type": "magic"}, 400, "unsupported_grant_type", 70003},
		{"no client", map[string]string{"client_id": ""}, 400, "invalid_request", 900144},
		{
			"an unknown client",
			map[string]string{"client_id": "5a1e0002-0000-4000-8000-00000000dead"},
			400,
			"unauthorized_client",
			700016,
		},
		{"a client ID other than a GUID", map[string]string{"client_id": "my-app"}, 400, "unauthorized_client", 700038},
		{"no code", map[string]string{"code": ""}, 400, "invalid_request", 900144},
		{"a malformed code", map[string]string{"code": "guess"}, 400, "invalid_grant", 9002313},
		{"an unknown code", map[string]string{"code": "1." + strings.Repeat("A", 700)}, 400, "invalid_grant", 70000},
		{"no secret", map[string]string{"client_secret": ""}, 401, "invalid_client", 7000218},
		{"a wrong secret", map[string]string{"client_secret": "guess"}, 401, "invalid_client", 7000215},
		{
			"an assertion of no type",
			map[string]string{"client_secret": "", "client_assertion": "x.y.z"},
			400,
			"invalid_request",
			900144,
		},
		{
			"another redirect URI",
			map[string]string{"redirect_uri": "http://localhost:9999/auth/callback"},
			401,
			"invalid_client",
			500112,
		},
		{"no redirect URI", map[string]string{"redirect_uri": ""}, 400, "invalid_request", 900144},
		{"no verifier", map[string]string{"code_verifier": ""}, 400, "invalid_grant", 501481},
		{
			"a wrong verifier",
			map[string]string{"code_verifier": "another-verifier-of-forty-three-characters-at-least"},
			400,
			"invalid_grant",
			501481,
		},
		{
			"a resource of no API",
			map[string]string{"resource": "http://localhost:8000/mcp"},
			400,
			"invalid_target",
			9010010,
		},
		{"scopes of two resources", map[string]string{"scope": apiScope + " User.Read"}, 400, "invalid_scope", 28000},
		{"another client's code", map[string]string{"client_id": otherAPI}, 401, "invalid_client", 7000215},
	} {
		t.Run(test.name, func(t *testing.T) {
			fake := newFake(t, fakeentra.Config{AutoSignIn: true})
			code := signIn(t, fake, nil)
			form := redemption(code, test.changes)
			got := token(t, fake, form)
			assert.Equal(t, test.status, got.Status)
			assert.Equal(t, test.code, got.text("error"))
			assert.Equal(t, test.number, got.number(t))
			assert.Contains(t, got.text("error_description"), "Trace ID: ")
			assert.NotContains(t, got.Body, directory.DefaultClientSecret)
			assert.NotContains(t, got.Body, code)
			right := token(t, fake, redemption(code, nil))
			assert.Equal(t, http.StatusOK, right.Status, "a failed request keeps the code valid")
		})
	}
}

func TestErrorBody(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	fake := newFake(t, fakeentra.Config{AutoSignIn: true, Now: func() time.Time { return now }})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, tenantURL+"/oauth2/v2.0/token",
		strings.NewReader(redemption(signIn(t, fake, nil), map[string]string{"client_secret": "guess"}).Encode()))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("client-request-id", "5a1e0009-0000-4000-8000-000000000001")
	r.Header.Set("return-client-request-id", "true")
	got := do(t, fake, r)
	assert.Equal(
		t,
		[]string{"error", "error_description", "error_codes", "timestamp", "trace_id", "correlation_id", "error_uri"},
		members(t, got.Body),
	)
	assert.Equal(t, "2026-03-04 05:06:07Z", got.text("timestamp"))
	assert.Equal(t, "5a1e0009-0000-4000-8000-000000000001", got.text("correlation_id"))
	assert.Equal(t, "5a1e0009-0000-4000-8000-000000000001", got.Header.Get("client-request-id"))
	assert.Equal(t, got.Header.Get("x-ms-request-id"), got.text("trace_id"))
	assert.Equal(t, "https://login.microsoftonline.com/error?code=7000215", got.text("error_uri"))
	want := "AADSTS7000215: Invalid client secret provided. " +
		"Ensure the secret being sent in the request is the client secret value, not the client secret ID, " +
		"for a secret added to app '" + directory.DefaultClientID + "'. " +
		"Trace ID: " + got.text("trace_id") + " Correlation ID: 5a1e0009-0000-4000-8000-000000000001 " +
		"Timestamp: 2026-03-04 05:06:07Z"
	assert.Equal(t, want, got.text("error_description"))
}

func TestCodeHasOneWinner(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{AutoSignIn: true})
	code := signIn(t, fake, nil)
	var mu sync.Mutex
	numbers := map[int]int{}
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			got := token(t, fake, redemption(code, nil))
			mu.Lock()
			defer mu.Unlock()
			if got.Status == http.StatusOK {
				numbers[0]++
			} else {
				numbers[got.number(t)]++
			}
		})
	}
	group.Wait()
	assert.Equal(t, map[int]int{0: 1, 54005: 19}, numbers)
}

func TestCodeExpires(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	fake := newFake(t, fakeentra.Config{AutoSignIn: true, Now: func() time.Time { return now }})
	code := signIn(t, fake, nil)
	now = now.Add(11 * time.Minute)
	got := token(t, fake, redemption(code, nil))
	assert.Equal(t, 70008, got.number(t))
	assert.Equal(t, "invalid_grant", got.text("error"))
}

func TestPlainChallenge(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{AutoSignIn: true})
	code := signIn(t, fake, map[string]string{"code_challenge": verifier, "code_challenge_method": "plain"})
	got := token(t, fake, redemption(code, nil))
	assert.Equal(t, http.StatusOK, got.Status, got.Body)
}

// Entra ID gives a new refresh token with every answer, and still takes the old one.
func TestRefreshRotatesWithoutRevoking(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{AutoSignIn: true})
	first := token(t, fake, redemption(signIn(t, fake, nil), nil)).text("refresh_token")
	require.NotEmpty(t, first)
	second := token(t, fake, refreshing(first, nil))
	require.Equal(t, http.StatusOK, second.Status, second.Body)
	assert.NotEqual(t, first, second.text("refresh_token"))
	again := token(t, fake, refreshing(first, nil))
	assert.Equal(t, http.StatusOK, again.Status, again.Body)
	other := token(t, fake, refreshing(first, map[string]string{"scope": apiScope}))
	assert.Equal(t, http.StatusOK, other.Status, other.Body)
	assert.Equal(t, apiScope, other.text("scope"), "a refresh token is bound to no resource")
	_, id := claims(t, second.text("id_token"))
	assert.NotContains(t, id, "nonce", "the nonce belongs to the sign-in")
}

func TestRefreshExpires(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	fake := newFake(t, fakeentra.Config{AutoSignIn: true, Now: func() time.Time { return now }})
	first := token(t, fake, redemption(signIn(t, fake, nil), nil)).text("refresh_token")
	now = now.Add(89 * 24 * time.Hour)
	second := token(t, fake, refreshing(first, nil))
	require.Equal(t, http.StatusOK, second.Status, second.Body)
	now = now.Add(2 * 24 * time.Hour)
	old := token(t, fake, refreshing(first, nil))
	assert.Equal(t, 700082, old.number(t))
	assert.Contains(t, old.text("error_description"), "was inactive for 90.00:00:00.")
	slid := token(t, fake, refreshing(second.text("refresh_token"), nil))
	assert.Equal(t, http.StatusOK, slid.Status, "the lifetime slides")
}

func TestRefreshNeedsConsentForMore(t *testing.T) {
	t.Parallel()
	person := &visit{t: t, fake: newFake(t, fakeentra.Config{})}
	person.post("login", request(nil), url.Values{"account": {directory.DefaultUser}})
	code := returned(t, person.post("consent", request(nil), url.Values{"answer": {"accept"}})).Get("code")
	first := token(t, person.fake, redemption(code, nil)).text("refresh_token")
	got := token(t, person.fake, refreshing(first, map[string]string{"scope": "Calendars.Read"}))
	assert.Equal(t, 65001, got.number(t))
	assert.Equal(t, "invalid_grant", got.text("error"))
	assert.Equal(t, "consent_required", got.text("suberror"))
}

func TestClientCredentials(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{})
	form := func(changes map[string]string) url.Values {
		return with(url.Values{
			"grant_type":    {"client_credentials"},
			"client_id":     {directory.DefaultClientID},
			"client_secret": {directory.DefaultClientSecret},
			"scope":         {"api://" + directory.DefaultAPIID + "/.default"},
		}, changes)
	}
	got := token(t, fake, form(nil))
	require.Equal(t, http.StatusOK, got.Status, got.Body)
	assert.Equal(t, []string{"token_type", "expires_in", "ext_expires_in", "access_token"}, members(t, got.Body))
	_, payload := claims(t, got.text("access_token"))
	assert.NotContains(t, payload, "scp", "what tells an app from a person")
	assert.Equal(t, payload["sub"], payload["oid"])
	verifies(t, fake, got.text("access_token"))

	for _, test := range []struct {
		name    string
		changes map[string]string
		number  int
	}{
		{"no scope", map[string]string{"scope": ""}, 900144},
		{"a named scope", map[string]string{"scope": apiScope}, 1002012},
		{"OpenID only", map[string]string{"scope": "openid"}, 1002012},
		{"a wrong secret", map[string]string{"client_secret": "x"}, 7000215},
		{"no secret", map[string]string{"client_secret": ""}, 7000216},
		{"an unknown target", map[string]string{"scope": "https://unknown.example/.default"}, 500011},
	} {
		t.Run(test.name, func(t *testing.T) {
			assert.Equal(t, test.number, token(t, fake, form(test.changes)).number(t))
		})
	}
}

// An app needs no permission to ask for a token for itself: without a role it has no roles, and
// only a resource that requires assignment turns it away.
func TestAppsNeedNoPermission(t *testing.T) {
	t.Parallel()
	ask := func(change func(t *directory.Tenant)) answer {
		fake := newFake(t, fakeentra.Config{Directory: changed(change)})
		return token(t, fake, url.Values{
			"grant_type":    {"client_credentials"},
			"client_id":     {directory.DefaultClientID},
			"client_secret": {directory.DefaultClientSecret},
			"scope":         {"api://" + directory.DefaultAPIID + "/.default"},
		})
	}
	unlisted := ask(func(t *directory.Tenant) { t.Apps[0].Permissions = []string{"User.Read"} })
	require.Equal(t, http.StatusOK, unlisted.Status, unlisted.Body)
	_, payload := claims(t, unlisted.text("access_token"))
	assert.NotContains(t, payload, "roles")

	required := func(t *directory.Tenant) { t.Apps[1].AssignmentRequired = true }
	refused := ask(required)
	assert.Equal(t, http.StatusBadRequest, refused.Status)
	assert.Equal(t, "invalid_grant", refused.text("error"))
	assert.Contains(
		t,
		refused.text("error_description"),
		fmt.Sprintf("AADSTS501051: Application '%s'(", directory.DefaultClientID),
	)
	assigned := ask(func(t *directory.Tenant) {
		required(t)
		t.Apps[0].ObjectID = "5a1e0002-0000-4000-8000-0000000000ff"
		t.Apps[1].Assignments = []directory.Assignment{{Principal: t.Apps[0].ObjectID}}
	})
	assert.Equal(t, http.StatusOK, assigned.Status, assigned.Body)
}

func TestClientSecretInTheHeader(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{})
	r, err := http.NewRequestWithContext(
		t.Context(),
		http.MethodPost,
		tenantURL+"/oauth2/v2.0/token",
		strings.NewReader(
			url.Values{
				"grant_type": {"client_credentials"},
				"scope":      {"https://graph.microsoft.com/.default"},
			}.Encode(),
		),
	)
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(directory.DefaultClientID, url.QueryEscape(directory.DefaultClientSecret))
	got := do(t, fake, r)
	assert.Equal(t, http.StatusOK, got.Status, got.Body)
}

func TestTokenEndpointForms(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{AutoSignIn: true})
	send := func(method, kind, body string) answer {
		r, err := http.NewRequestWithContext(
			t.Context(),
			method,
			tenantURL+"/oauth2/v2.0/token?grant_type=authorization_code",
			strings.NewReader(body),
		)
		require.NoError(t, err)
		r.Header.Set("Content-Type", kind)
		return do(t, fake, r)
	}
	const form = "application/x-www-form-urlencoded"
	assert.Equal(t, 900561, send(http.MethodGet, "", "").number(t))
	assert.Equal(t, 900144, send(http.MethodPost, "application/json", `{"grant_type":"authorization_code"}`).number(t))
	assert.Equal(t, 900144, send(http.MethodPost, form, "").number(t), "the query does not count")
	assert.Equal(t, 9002313, send(http.MethodPost, form, "grant_type=a&grant_type=b").number(t))
	assert.Equal(t, 9002313, send(http.MethodPost, form, "grant_type=%zz").number(t))
	assert.Equal(
		t,
		9002313,
		send(http.MethodPost, form, "grant_type=x&y="+strings.Repeat("y", 2<<20)).number(t),
		"megabytes",
	)
}

func TestMint(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{})
	raw, err := fake.Mint(
		fakeentra.Token{
			User:   "AlexW@contoso.onmicrosoft.com",
			Scopes: []string{"tool.write"},
			Edit:   func(claims map[string]any) { claims["extra"] = 7 },
		},
	)
	require.NoError(t, err)
	verifies(t, fake, raw)
	_, payload := claims(t, raw)
	assert.Equal(t, "Alex Wilber", payload["name"])
	assert.Equal(t, "tool.write", payload["scp"])
	assert.EqualValues(t, 7, payload["extra"])
	for _, test := range []struct {
		name string
		want fakeentra.Token
	}{
		{"tenant", fakeentra.Token{Tenant: "unknown.example"}},
		{"user", fakeentra.Token{User: "missing"}},
		{"app", fakeentra.Token{Client: "missing"}},
		{"API", fakeentra.Token{API: "missing"}},
	} {
		_, err := fake.Mint(test.want)
		assert.ErrorContains(t, err, "no "+test.name)
	}
}
