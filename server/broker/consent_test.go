package broker_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestConsentAcceptsBrowserSpelling sends the origin as browsers spell it, whatever the spelling in
// the Config.
func TestConsentAcceptsBrowserSpelling(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	asBrowsersWriteIt := e.origin
	e.origin = strings.Replace(e.origin, "localhost", "LocalHost", 1)
	e.broker = e.start(options{})
	b := e.browser()
	form := formOf(b.get(e.request(e.public())).body)
	form.Set("answer", "approve")
	done := b.post(e.origin+"/authorize/consent", form, "Origin", asBrowsersWriteIt, "Sec-Fetch-Site", "same-origin")
	assert.Equal(t, 200, done.status, done.body)
}

func TestConsentFormIsBoundToBrowser(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	c := e.public()
	send := func(b *browser, form url.Values, headers ...string) answer {
		return b.post(e.origin+"/authorize/consent", form, headers...)
	}
	own := []string{"Origin", e.origin, "Sec-Fetch-Site", "same-origin"}
	b := e.browser()
	form := formOf(b.get(e.request(c)).body)
	form.Set("answer", "approve")
	assert.Equal(t, 403, send(e.browser(), form, own...).status, "another browser")
	assert.Equal(t, 403, send(b, form).status, "no origin")
	assert.Equal(t, 403, send(b, form, "Origin", "https://evil.example").status)
	assert.Equal(t, 403, send(b, form, "Origin", "null").status)
	assert.Equal(t, 403, send(b, form, "Origin", e.origin, "Sec-Fetch-Site", "same-site").status)
	without := url.Values{"transaction": form["transaction"], "answer": form["answer"]}
	assert.Equal(t, 403, send(b, without, own...).status, "no CSRF token")
	mixed := formOf(b.get(e.request(c)).body)
	mixed.Set("answer", "approve")
	mixed.Set("csrf", form.Get("csrf"))
	assert.Equal(t, 403, send(b, mixed, own...).status, "the CSRF token of another page")
	assert.Equal(t, 405, b.get(e.origin+"/authorize/consent?"+form.Encode()).status)
	guessed := e.browser()
	at, err := url.Parse(e.origin + "/authorize/consent")
	require.NoError(t, err)
	cookies := b.c.Jar.Cookies(at)
	require.NotEmpty(t, cookies)
	for _, cookie := range cookies {
		guessed.c.Jar.SetCookies(at, []*http.Cookie{{Name: cookie.Name, Value: strings.Repeat("A", len(cookie.Value))}})
	}
	assert.Equal(t, 403, send(guessed, form, own...).status, "a cookie of the right name alone")
	first := send(b, form, own...)
	assert.Equal(t, 200, first.status, "the page itself, after the refusals")
	e.later(59 * time.Second)
	assert.Equal(t, first.body, send(b, form, own...).body, "twice")
	b.c.Jar.SetCookies(at, cookies)
	assert.Equal(t, first.body, send(b, form, own...).body, "three times")
	assert.Equal(t, 403, send(e.browser(), form, own...).status, "another browser, within the minute")
	assert.Equal(t, 403, send(guessed, form, own...).status, "a guessed cookie, within the minute")
	changed := url.Values{"transaction": form["transaction"], "csrf": form["csrf"], "answer": {"deny"}}
	assert.Equal(t, 403, send(b, changed, own...).status, "the other button")
	e.later(2 * time.Second)
	b.c.Jar.SetCookies(at, cookies)
	assert.Equal(t, 403, send(b, form, own...).status, "a minute later")

	to, err := url.Parse(linkOf(t, e.decide(b, b.get(e.request(c)), "deny")))
	require.NoError(t, err)
	assert.Equal(t, "access_denied", to.Query().Get("error"))
	assert.Equal(t, `a "b&c+d%`, to.Query().Get("state"))
	assert.Equal(t, e.origin, to.Query().Get("iss"))
}

func TestTwoClicksGetOneAnswer(t *testing.T) {
	t.Parallel()
	for _, button := range []string{"approve", "deny"} {
		t.Run(button, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, options{})
			p := newPairing(e)
			b := e.browser()
			form := formOf(b.get(e.request(e.public())).body)
			form.Set("answer", button)
			click := func() string { return b.post(e.origin+"/authorize/consent", form, "Origin", e.origin).body }
			p.arm("transaction", 2) // to find the browser, and to settle the answer
			var bodies [2]string
			var both sync.WaitGroup
			for i := range bodies {
				both.Go(func() { bodies[i] = click() })
			}
			both.Wait()
			assert.Equal(t, bodies[0], bodies[1])
			to := linkOf(t, answer{body: bodies[0]})
			if button == "deny" {
				assert.Contains(t, to, "access_denied")
				return
			}
			back := e.signIn(b, to, "")
			code := b.get(back).location(t).Get("code")
			assert.NotEmpty(t, code)
			assert.Equal(t, bodies[0], click(), "a third click begins no second sign-in")
			assert.Equal(t, code, b.get(back).location(t).Get("code"))
		})
	}
}

func TestRememberedConsentSkipsPage(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	c := e.public(appURI, "https://app.example/other")
	b := e.browser()
	e.code(c, b, "redirect_uri", appURI)
	assert.True(t, e.skips(b, c))
	for _, site := range []string{"cross-site", "same-site"} {
		assert.Equal(t, 200, b.get(e.request(c, "redirect_uri", appURI), "Sec-Fetch-Site", site).status, site)
	}
	assert.False(t, e.skips(b, c, "redirect_uri", "https://app.example/other"))
	assert.False(t, e.skips(b, e.public(appURI)), "another client")
	assert.False(t, e.skips(e.browser(), c), "another browser")
}

func TestLoopbackClientIsAlwaysAsked(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	c := e.public()
	b := e.browser()
	e.code(c, b)
	assert.Equal(t, 200, b.get(e.request(c), "Sec-Fetch-Site", "none").status)
}

func TestOtherPersonIsAsked(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	c := e.public(appURI)
	b := e.browser()
	e.code(c, b, "redirect_uri", appURI)
	skipped := b.get(e.request(c, "redirect_uri", appURI, "prompt", "select_account"), "Sec-Fetch-Site", "none")
	require.Equal(t, 302, skipped.status)
	other := e.fake.Tenant().Users[1].UserPrincipalName
	returned := e.signIn(b, skipped.header.Get("Location"), other)
	back := b.get(returned)
	require.Equal(t, 200, back.status, "%s", back.header.Get("Location"))
	assert.Contains(t, back.body, other)
	once := e.approve(b, back)
	assert.Equal(t, once, e.approve(b, back), "two clicks get one code")
	second := b.get(returned)
	require.Equal(t, 200, second.status, "two clicks at Entra get two pages")
	assert.NotEqual(t, formOf(back.body).Get("transaction"), formOf(second.body).Get("transaction"))
	assert.Equal(t, once, e.approve(b, second), "one sign-in gets one code")
	to, err := url.Parse(once)
	require.NoError(t, err)
	got, status := e.redeemedAt(c, appURI, to.Query().Get("code"))
	assert.Equal(t, 200, status, got.Error)
}

// TestLongAddressLeavesButtonsInView checks that the page shows the host in full, and the buttons
// without scrolling past a long path.
func TestLongAddressLeavesButtonsInView(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	uri := "https://app.example/" + strings.Repeat("a", 1500)
	page := e.browser().get(e.request(e.public(uri), "redirect_uri", uri))
	assert.Contains(t, page.body, `<dd class="address">`+uri+`</dd>`)
	assert.Contains(t, page.body, `<dd>app.example</dd>`)
	assert.Regexp(t, `(?m)^\.address \{ max-height: \d+em; overflow-y: auto; \}$`, page.body)
}
