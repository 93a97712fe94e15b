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

	"mcpentra/server/store"
)

func TestCallback(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c := w.public()
	attacker := w.browser()
	victim := w.browser()
	page := attacker.get(w.request(c))
	saw := w.browser() // the attacker's browser as it was before the approval
	u, _ := url.Parse(w.origin + "/authorize/consent")
	saw.c.Jar.SetCookies(u, attacker.c.Jar.Cookies(u))
	back := w.signIn(attacker, w.approve(attacker, page), "")
	assert.Equal(t, 403, victim.get(back).status, "another browser")
	assert.Equal(t, 403, saw.get(back).status, "a browser that only saw the page")
	guessed := w.browser()
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
	w.later(61 * time.Second)
	assert.Equal(t, 400, attacker.get(back).status, "a minute later")

	late := w.signIn(attacker, w.approve(attacker, attacker.get(w.request(c))), "")
	w.later(16 * time.Minute)
	assert.Equal(t, 400, attacker.get(late).status, "too late")
	assert.Equal(t, 400, attacker.get(w.origin+"/auth/callback").status)
}

func TestTwoClicksAtEntra(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	m := &meeting{Store: store.NewMemory(store.Config{Now: w.now})}
	w.broker = w.start(options{store: m})
	c := w.public()
	b := w.browser()
	back := w.signIn(b, w.approve(b, b.get(w.request(c))), "")
	m.arm("transaction", 1)
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
	_, status := w.token(redemption(c, code))
	require.Equal(t, 200, status)
	late := b.get(back)
	assert.Equal(t, 200, late.status, late.body)
	assert.Empty(t, late.header.Get("Location"), "a code that was redeemed is not sent again")
	assert.Contains(t, late.body, "This sign-in is complete")
	assert.NotContains(t, late.body, code)
}

func TestTheFirstClickAtEntraIsDropped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	b := w.browser()
	back := w.signIn(b, w.approve(b, b.get(w.request(w.public()))), "")
	ctx, drop := context.WithCancel(t.Context())
	drop()
	first := httptest.NewRequestWithContext(ctx, http.MethodGet, back, nil)
	for _, cookie := range b.c.Jar.Cookies(first.URL) {
		first.AddCookie(cookie)
	}
	w.broker.ServeHTTP(httptest.NewRecorder(), first)
	second := b.get(back)
	assert.NotEmpty(t, second.location(t).Get("code"), second.body)
}

func TestARefusalOfEntraIsRepeated(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	b := w.browser()
	back := w.signIn(b, w.approve(b, b.get(w.request(w.public()))), "")
	w.entraAnswers(400, `{"error":"invalid_grant","error_codes":[70008]}`)
	first := b.get(back)
	require.Equal(t, "server_error", first.location(t).Get("error"), first.body)
	assert.Equal(t, first.header.Get("Location"), b.get(back).header.Get("Location"))
}

func TestCodeSwapBetweenFlows(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c := w.public()
	one := w.browser()
	two := w.browser()
	first, _ := url.Parse(w.signIn(one, w.approve(one, one.get(w.request(c))), ""))
	second, _ := url.Parse(w.signIn(two, w.approve(two, two.get(w.request(c))), ""))
	q := second.Query()
	q.Set("code", first.Query().Get("code"))
	second.RawQuery = q.Encode()
	a := two.get(second.String())
	assert.Equal(t, "server_error", a.location(t).Get("error"))
	assert.Empty(t, a.location(t).Get("code"))
}

func TestEntraGrantsLess(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	b := w.browser()
	back := w.signIn(b, w.approve(b, b.get(w.request(w.public()))), "")
	w.withheld.Store(true)
	q := b.get(back).location(t)
	assert.Equal(t, "access_denied", q.Get("error"))
	assert.Contains(t, q.Get("error_description"), "User.Read")
	assert.Empty(t, q.Get("code"))
}

// unseen are requests that a browser or scanner sends without a person who goes to a page.
var unseen = map[string][]string{
	"prefetch":         {"Sec-Purpose", "prefetch"},
	"prerender":        {"Sec-Purpose", "prefetch;prerender"},
	"older prefetch":   {"Purpose", "prefetch"},
	"Firefox prefetch": {"X-Moz", "prefetch"},
	"Safari preview":   {"X-Purpose", "preview"},
	"an image":         {"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"},
	"a frame":          {"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"},
	"a script":         {"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"},
}

func (b *browser) head(address string) answer {
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodHead, address, nil)
	require.NoError(b.t, err)
	return b.send(r)
}

func TestUnseenRequestsUseNothingUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{perMinute: 1})
	b := w.browser()
	c := w.public()
	for name, headers := range unseen {
		a := b.get(w.request(c), headers...)
		assert.GreaterOrEqual(t, a.status, 400, name)
		assert.Empty(t, a.header.Values("Set-Cookie"), name)
	}
	head := b.head(w.request(c))
	assert.Equal(t, 200, head.status)
	assert.Empty(t, head.header.Values("Set-Cookie"))
	assert.Contains(t, head.header.Get("Cache-Control"), "no-store")
	back := w.signIn(b, w.approve(b, b.get(w.request(c))), "")
	for name, headers := range unseen {
		a := b.get(back, headers...)
		assert.GreaterOrEqual(t, a.status, 400, name)
		assert.Empty(t, a.header.Values("Set-Cookie"), name)
	}
	assert.Equal(t, 200, b.head(back).status)
	assert.Equal(t, 405, b.head(w.origin+"/authorize/consent").status)
	seen := b.get(back, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document")
	assert.NotEmpty(t, seen.location(t).Get("code"), seen.body)
}

func TestEntraRefusesTheCode(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status     int
		body, code string
	}{
		"the secret has expired": {401, `{"error":"invalid_client","error_description":"AADSTS7000222: <b>text</b>","error_codes":[7000222]}`, "server_error"},
		"throttled":              {429, `{}`, "temporarily_unavailable"},
		"in trouble":             {503, `<html>`, "temporarily_unavailable"},
		"no ID token":            {200, `{"access_token":"a","token_type":"Bearer","expires_in":3600,"scope":"User.Read"}`, "server_error"},
		"a foreign ID token":     {200, `{"access_token":"a","token_type":"Bearer","expires_in":3600,"scope":"User.Read","id_token":"eyJhbGciOiJub25lIn0.e30."}`, "server_error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{})
			b := w.browser()
			back := w.signIn(b, w.approve(b, b.get(w.request(w.public()))), "")
			w.entraAnswers(test.status, test.body)
			a := b.get(back)
			require.Equal(t, 302, a.status)
			q := a.location(t)
			assert.Equal(t, test.code, q.Get("error"))
			assert.Empty(t, q.Get("code"))
			assert.NotContains(t, q.Get("error_description"), "<", "Entra's own words go to the log alone")
			assert.NotEmpty(t, q.Get("state"))
		})
	}
}
