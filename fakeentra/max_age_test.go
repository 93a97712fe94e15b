package fakeentra_test

import (
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

// maxAgeFake is a fake whose people need no consent, and whose clock stands still. The visit has a
// session.
func maxAgeFake(t *testing.T) (*fakeentra.Fake, *visit) {
	t.Helper()
	now := time.Date(2026, 1, 31, 9, 0, 0, 0, time.UTC)
	fake := newFake(t, fakeentra.Config{
		Now:       func() time.Time { return now },
		Directory: changed(func(t *directory.Tenant) { t.Apps[0].Consented = []string{"User.Read"} }),
	})
	person := &visit{t: t, fake: fake}
	got := person.post("login", request(nil), url.Values{"account": {directory.DefaultUser}})
	require.NotEmpty(t, returned(t, got).Get("code"))
	return fake, person
}

func (v *visit) authorize(changes map[string]string) answer {
	v.t.Helper()
	return v.open(http.MethodGet, tenantURL+"/oauth2/v2.0/authorize?"+request(changes).Encode(), nil)
}

// authTime redeems the code of an answer and returns auth_time of the ID token.
func authTime(t *testing.T, fake *fakeentra.Fake, got answer) any {
	t.Helper()
	tokens := token(t, fake, redemption(returned(t, got).Get("code"), nil))
	_, id := claims(t, tokens.text("id_token"))
	return id["auth_time"]
}

func TestMaxAgeAsksAgain(t *testing.T) {
	t.Parallel()
	fake, person := maxAgeFake(t)
	began := float64(time.Date(2026, 1, 31, 9, 0, 0, 0, time.UTC).Unix())
	hour := map[string]string{"max_age": "3600"}
	fake.Advance(time.Hour)
	assert.InDelta(t, began, authTime(t, fake, person.authorize(hour)), 0, "the session is young enough")

	fake.Advance(time.Second)
	assert.Contains(t, person.authorize(hour).Body, "Pick an account")
	silent := returned(t, person.authorize(map[string]string{"max_age": "3600", "prompt": "none"}))
	assert.Equal(t, "login_required", silent.Get("error"))
	assert.Contains(t, silent.Get("error_description"), "AADSTS50058")
	assert.Nil(t, authTime(t, fake, person.authorize(nil)), "no max_age, no auth_time")

	again := person.post("login", request(hour), url.Values{"account": {directory.DefaultUser}})
	assert.InDelta(t, began+3601, authTime(t, fake, again), 0)
	assert.InDelta(t, began+3601, authTime(t, fake, person.authorize(hour)), 0)
}

// With max_age=0 no earlier sign-in counts.
func TestMaxAgeOfZero(t *testing.T) {
	t.Parallel()
	fake, person := maxAgeFake(t)
	zero := map[string]string{"max_age": "0"}
	assert.Contains(t, person.authorize(zero).Body, "Pick an account")
	silent := returned(t, person.authorize(map[string]string{"max_age": "0", "prompt": "none"}))
	assert.Equal(t, "login_required", silent.Get("error"))
	again := person.post("login", request(zero), url.Values{"account": {directory.DefaultUser}})
	assert.NotNil(t, authTime(t, fake, again))
	address := strings.Replace(tenantURL, directory.DefaultTenantID, "common", 1) + "/oauth2/v2.0/authorize?"
	shared := person.open(http.MethodGet, address+request(zero).Encode(), nil)
	assert.Contains(t, shared.Body, "Pick an account", "also where the tenant is not known yet")
}

// A refresh keeps auth_time, and so do the tokens of the authorization endpoint.
func TestAuthTimeInEachResponse(t *testing.T) {
	t.Parallel()
	d := changed(func(t *directory.Tenant) { t.Apps[0].ImplicitIDTokens = true })
	fake := newFake(t, fakeentra.Config{AutoSignIn: true, Directory: d})
	for _, changes := range []map[string]string{
		{"response_type": "id_token"},
		{"response_type": "code id_token"},
		{"response_type": "id_token", "response_mode": "form_post"},
	} {
		for maxAge, want := range map[string]bool{"": false, "60": true} {
			got := authorize(t, fake, with(request(changes), map[string]string{"max_age": maxAge}))
			_, id := claims(t, idTokenOf(t, got))
			assert.Equal(t, want, id["auth_time"] != nil, "%v, max_age=%s", changes, maxAge)
		}
	}
	tokens := token(t, fake, redemption(signIn(t, fake, map[string]string{"max_age": "60"}), nil))
	scope := map[string]string{"scope": "openid User.Read"}
	refreshed := token(t, fake, refreshing(tokens.text("refresh_token"), scope))
	_, before := claims(t, tokens.text("id_token"))
	_, after := claims(t, refreshed.text("id_token"))
	require.NotNil(t, before["auth_time"])
	assert.Equal(t, before["auth_time"], after["auth_time"])
}

// idTokenOf finds the ID token of an authorization response, in the address or in the form.
func idTokenOf(t *testing.T, got answer) string {
	t.Helper()
	if got.Status == http.StatusFound {
		return returned(t, got).Get("id_token")
	}
	_, rest, found := strings.Cut(got.Body, `name="id_token" value="`)
	require.True(t, found, got.Body)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

func TestMalformedMaxAge(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{AutoSignIn: true})
	for _, value := range []string{"-1", "1.5", "soon", "1 ", "0x10"} {
		got := returned(t, authorize(t, fake, request(map[string]string{"max_age": value})))
		assert.Equal(t, "invalid_request", got.Get("error"), value)
	}
	for _, value := range []string{"99999999999", "99999999999999999999999"} {
		got := returned(t, authorize(t, fake, request(map[string]string{"max_age": value})))
		assert.NotEmpty(t, got.Get("code"), value)
	}
	empty := request(nil)
	empty.Set("max_age", "")
	assert.NotEmpty(t, returned(t, authorize(t, fake, empty)).Get("code"), "like an absent parameter")
}
