package broker_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCallbackBelongsToOneBrowser(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	c := e.public()
	attacker := e.browser()
	victim := e.browser()
	page := attacker.get(e.request(c))
	saw := e.browser() // has the attacker's cookies from before the approval
	u, _ := url.Parse(e.origin + "/authorize/consent")
	saw.c.Jar.SetCookies(u, attacker.c.Jar.Cookies(u))
	back := e.signIn(attacker, e.approve(attacker, page), "")
	assert.Equal(t, 403, victim.get(back).status, "another browser")
	assert.Equal(t, 403, saw.get(back).status, "a browser that only saw the page")
	guessed := e.browser()
	at, err := url.Parse(back)
	require.NoError(t, err)
	for _, cookie := range attacker.c.Jar.Cookies(at) {
		cookie.Value = strings.Repeat("A", len(cookie.Value))
		guessed.c.Jar.SetCookies(at, []*http.Cookie{cookie})
	}
	assert.NotEmpty(t, guessed.c.Jar.Cookies(at))
	assert.Equal(t, 403, guessed.get(back).status, "a cookie of the right name alone")
	changed := strings.Replace(back, "&state=", "&state=x", 1)
	assert.Equal(t, 400, attacker.get(changed).status)
	assert.Equal(t, 400, attacker.get(strings.Replace(back, "&state=", "&state=x&state=", 1)).status, "two states")
	assert.Equal(t, 302, attacker.get(back).status)
	assert.Equal(t, 403, victim.get(back).status, "another browser, afterwards")
	assert.Equal(t, 400, attacker.get(strings.Replace(back, "code=", "code=x", 1)).status, "another code, afterwards")
	e.later(61 * time.Second)
	assert.Equal(t, 400, attacker.get(back).status, "a minute later")

	late := e.signIn(attacker, e.approve(attacker, attacker.get(e.request(c))), "")
	e.later(16 * time.Minute)
	assert.Equal(t, 400, attacker.get(late).status, "too late")
	assert.Equal(t, 400, attacker.get(e.origin+"/auth/callback").status)
}

func TestTwoClicksAtEntraGetOneCode(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	p := newPairing(e)
	c := e.public()
	b := e.browser()
	back := e.signIn(b, e.approve(b, b.get(e.request(c))), "")
	p.arm("transaction", 1)
	var answers [2]answer
	var both sync.WaitGroup
	for i := range answers {
		both.Go(func() { answers[i] = b.get(back) })
	}
	both.Wait()
	third := b.get(back)
	code := third.location(t).Get("code")
	require.NotEmpty(t, code, third.body)
	for _, a := range answers {
		assert.Equal(t, third.header.Get("Location"), a.header.Get("Location"), a.body)
	}
	_, status := e.token(redemption(c, code))
	require.Equal(t, 200, status)
	late := b.get(back)
	assert.Equal(t, 200, late.status, late.body)
	assert.Empty(t, late.header.Get("Location"), "a code that was redeemed is not sent again")
	assert.Contains(t, late.body, "This sign-in is complete")
	assert.NotContains(t, late.body, code)
}

func TestDroppedClickAtEntraCostsNothing(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	b := e.browser()
	back := e.signIn(b, e.approve(b, b.get(e.request(e.public()))), "")
	ctx, drop := context.WithCancel(t.Context())
	drop()
	first := httptest.NewRequestWithContext(ctx, http.MethodGet, back, nil)
	for _, cookie := range b.c.Jar.Cookies(first.URL) {
		first.AddCookie(cookie)
	}
	e.broker.ServeHTTP(httptest.NewRecorder(), first)
	second := b.get(back)
	assert.NotEmpty(t, second.location(t).Get("code"), second.body)
}

func TestSecondClickRepeatsRefusal(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	b := e.browser()
	back := e.signIn(b, e.approve(b, b.get(e.request(e.public()))), "")
	e.entraAnswers(400, `{"error":"invalid_grant","error_codes":[70008]}`)
	first := b.get(back)
	require.Equal(t, "server_error", first.location(t).Get("error"), first.body)
	assert.Equal(t, first.header.Get("Location"), b.get(back).header.Get("Location"))
}

func TestCodeOfOtherFlowIsRefused(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	c := e.public()
	victim := e.browser()
	attacker := e.browser()
	victims, _ := url.Parse(e.signIn(victim, e.approve(victim, victim.get(e.request(c))), ""))
	attackers, _ := url.Parse(e.signIn(attacker, e.approve(attacker, attacker.get(e.request(c))), ""))
	q := attackers.Query()
	q.Set("code", victims.Query().Get("code"))
	attackers.RawQuery = q.Encode()
	a := attacker.get(attackers.String())
	assert.Equal(t, "server_error", a.location(t).Get("error"))
	assert.Empty(t, a.location(t).Get("code"))
}

func TestMissingUpstreamScopeIsDenied(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	b := e.browser()
	back := e.signIn(b, e.approve(b, b.get(e.request(e.public()))), "")
	e.withheld.Store(true)
	q := b.get(back).location(t)
	assert.Equal(t, "access_denied", q.Get("error"))
	assert.Contains(t, q.Get("error_description"), "User.Read")
	assert.Empty(t, q.Get("code"))
}

// unseen are requests that a browser or scanner sends although no person goes to the page.
var unseen = []struct {
	name    string
	headers []string
}{
	{"prefetch", []string{"Sec-Purpose", "prefetch"}},
	{"prerender", []string{"Sec-Purpose", "prefetch;prerender"}},
	{"older prefetch", []string{"Purpose", "prefetch"}},
	{"Firefox prefetch", []string{"X-Moz", "prefetch"}},
	{"Safari preview", []string{"X-Purpose", "preview"}},
	{"an image", fetched("cross-site", "no-cors", "image")},
	{"a frame", fetched("cross-site", "navigate", "iframe")},
	{"a script", fetched("same-origin", "cors", "empty")},
}

func TestUnseenRequestsCostNothing(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{perMinute: 1})
	b := e.browser()
	c := e.public()
	for _, test := range unseen {
		a := b.get(e.request(c), test.headers...)
		assert.GreaterOrEqual(t, a.status, 400, test.name)
		assert.Empty(t, a.header.Values("Set-Cookie"), test.name)
	}
	head := b.head(e.request(c))
	assert.Equal(t, 200, head.status)
	assert.Empty(t, head.header.Values("Set-Cookie"))
	assert.Contains(t, head.header.Get("Cache-Control"), "no-store")
	back := e.signIn(b, e.approve(b, b.get(e.request(c))), "")
	for _, test := range unseen {
		a := b.get(back, test.headers...)
		assert.GreaterOrEqual(t, a.status, 400, test.name)
		assert.Empty(t, a.header.Values("Set-Cookie"), test.name)
	}
	assert.Equal(t, 200, b.head(back).status)
	assert.Equal(t, 405, b.head(e.origin+"/authorize/consent").status)
	seen := b.get(back, fetched("cross-site", "navigate", "document")...)
	assert.NotEmpty(t, seen.location(t).Get("code"), seen.body)
}

func TestEntraRefusesCode(t *testing.T) {
	t.Parallel()
	const expired = `{"error":"invalid_client","error_codes":[7000222],` +
		`"error_description":"AADSTS7000222: <b>text</b>"}`
	const granted = `{"access_token":"a","token_type":"Bearer","expires_in":3600,"scope":"User.Read"`
	for _, test := range []struct {
		name   string
		status int
		body   string
		code   string
	}{
		{"the secret has expired", 401, expired, "server_error"},
		{"throttled", 429, `{}`, "temporarily_unavailable"},
		{"in trouble", 503, `<html>`, "temporarily_unavailable"},
		{"no ID token", 200, granted + `}`, "server_error"},
		{"a foreign ID token", 200, granted + `,"id_token":"eyJhbGciOiJub25lIn0.e30."}`, "server_error"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, options{})
			b := e.browser()
			back := e.signIn(b, e.approve(b, b.get(e.request(e.public()))), "")
			e.entraAnswers(test.status, test.body)
			a := b.get(back)
			require.Equal(t, 302, a.status)
			q := a.location(t)
			assert.Equal(t, test.code, q.Get("error"))
			assert.Empty(t, q.Get("code"))
			assert.NotContains(t, q.Get("error_description"), "<", "Entra's own words stay in the log")
			assert.NotEmpty(t, q.Get("state"))
		})
	}
}
