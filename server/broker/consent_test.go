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

	"mcpentra/server/store"
)

// TestConsentUnderAnyIssuerSpelling sends the form as a browser does, which knows one spelling of
// an origin.
func TestConsentUnderAnyIssuerSpelling(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	asBrowsersWriteIt := w.origin
	w.origin = strings.Replace(w.origin, "localhost", "LocalHost", 1)
	w.broker = w.start(options{})
	b := w.browser()
	form := formOf(b.get(w.request(w.public())).body)
	form.Set("answer", "approve")
	done := b.post(w.origin+"/authorize/consent", form, "Origin", asBrowsersWriteIt, "Sec-Fetch-Site", "same-origin")
	assert.Equal(t, 200, done.status, done.body)
}

func TestConsentForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c := w.public()
	post := func(b *browser, form url.Values, headers ...string) answer {
		return b.post(w.origin+"/authorize/consent", form, headers...)
	}
	own := []string{"Origin", w.origin, "Sec-Fetch-Site", "same-origin"}
	b := w.browser()
	form := formOf(b.get(w.request(c)).body)
	form.Set("answer", "approve")
	assert.Equal(t, 403, post(w.browser(), form, own...).status, "another browser")
	assert.Equal(t, 403, post(b, form).status, "no origin")
	assert.Equal(t, 403, post(b, form, "Origin", "https://evil.example").status)
	assert.Equal(t, 403, post(b, form, "Origin", "null").status)
	assert.Equal(t, 403, post(b, form, "Origin", w.origin, "Sec-Fetch-Site", "same-site").status)
	without := url.Values{"transaction": form["transaction"], "answer": form["answer"]}
	assert.Equal(t, 403, post(b, without, own...).status, "no CSRF token")
	mixed := formOf(b.get(w.request(c)).body)
	mixed.Set("answer", "approve")
	mixed.Set("csrf", form.Get("csrf"))
	assert.Equal(t, 403, post(b, mixed, own...).status, "the CSRF token of another page")
	assert.Equal(t, 405, b.get(w.origin+"/authorize/consent?"+form.Encode()).status)
	guessed := w.browser()
	at, err := url.Parse(w.origin + "/authorize/consent")
	require.NoError(t, err)
	held := b.c.Jar.Cookies(at)
	require.NotEmpty(t, held)
	for _, cookie := range held {
		guessed.c.Jar.SetCookies(at, []*http.Cookie{{Name: cookie.Name, Value: strings.Repeat("A", len(cookie.Value))}})
	}
	assert.Equal(t, 403, post(guessed, form, own...).status, "a cookie of the right name alone")
	first := post(b, form, own...)
	assert.Equal(t, 200, first.status, "the page itself, after all that")
	w.later(59 * time.Second)
	assert.Equal(t, first.body, post(b, form, own...).body, "twice")
	b.c.Jar.SetCookies(at, held)
	assert.Equal(t, first.body, post(b, form, own...).body, "three times")
	assert.Equal(t, 403, post(w.browser(), form, own...).status, "another browser, within the minute")
	assert.Equal(t, 403, post(guessed, form, own...).status, "a guessed cookie, within the minute")
	changed := url.Values{"transaction": form["transaction"], "csrf": form["csrf"], "answer": {"deny"}}
	assert.Equal(t, 403, post(b, changed, own...).status, "the other button")
	w.later(2 * time.Second)
	b.c.Jar.SetCookies(at, held)
	assert.Equal(t, 403, post(b, form, own...).status, "a minute later")

	form = formOf(b.get(w.request(c)).body)
	form.Set("answer", "deny")
	denied := post(b, form, own...)
	to, err := url.Parse(unescape(onward.FindStringSubmatch(denied.body)[1]))
	require.NoError(t, err)
	assert.Equal(t, "access_denied", to.Query().Get("error"))
	assert.Equal(t, `a "b&c+d%`, to.Query().Get("state"))
	assert.Equal(t, w.origin, to.Query().Get("iss"))
}

func TestTwoClicksAtOnce(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{"approve", "deny"} {
		t.Run(answer, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{})
			m := &meeting{Store: store.NewMemory(store.Config{Now: w.now})}
			w.broker = w.start(options{store: m})
			b := w.browser()
			form := formOf(b.get(w.request(w.public())).body)
			form.Set("answer", answer)
			click := func() string { return b.post(w.origin+"/authorize/consent", form, "Origin", w.origin).body }
			m.arm("transaction", 2) // to see whose it is, and to settle it
			var bodies [2]string
			var both sync.WaitGroup
			for i := range bodies {
				both.Go(func() { bodies[i] = click() })
			}
			both.Wait()
			assert.Equal(t, bodies[0], bodies[1])
			to := unescape(onward.FindStringSubmatch(bodies[0])[1])
			if answer == "deny" {
				assert.Contains(t, to, "access_denied")
				return
			}
			back := w.signIn(b, to, "")
			code := b.get(back).location(t).Get("code")
			assert.NotEmpty(t, code)
			assert.Equal(t, bodies[0], click(), "there is one sign-in, and a third click makes no other")
			assert.Equal(t, code, b.get(back).location(t).Get("code"))
		})
	}
}

func TestRememberedConsent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	const uri = "https://app.example/cb"
	c := w.public(uri, "https://app.example/other")
	b := w.browser()
	w.code(c, b, "redirect_uri", uri)
	skips := func(b *browser, c registered, uri, site string) bool {
		return b.get(w.request(c, "redirect_uri", uri), "Sec-Fetch-Site", site).status == 302
	}
	assert.True(t, skips(b, c, uri, "none"))
	assert.False(t, skips(b, c, uri, "cross-site"))
	assert.False(t, skips(b, c, uri, "same-site"))
	assert.False(t, skips(b, c, "https://app.example/other", "none"))
	assert.False(t, skips(b, w.public(uri), uri, "none"), "another client")
	assert.False(t, skips(w.browser(), c, uri, "none"), "another browser")
}

func TestLoopbackClientIsAlwaysShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c := w.public()
	b := w.browser()
	w.code(c, b)
	assert.Equal(t, 200, b.get(w.request(c), "Sec-Fetch-Site", "none").status)
}

func TestAnotherPersonIsAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	const uri = "https://app.example/cb"
	c := w.public(uri)
	b := w.browser()
	w.code(c, b, "redirect_uri", uri)
	skipped := b.get(w.request(c, "redirect_uri", uri, "prompt", "select_account"), "Sec-Fetch-Site", "none")
	require.Equal(t, 302, skipped.status)
	other := w.fake.Tenant().Users[1].UserPrincipalName
	returned := w.signIn(b, skipped.header.Get("Location"), other)
	back := b.get(returned)
	require.Equal(t, 200, back.status, "%s", back.header.Get("Location"))
	assert.Contains(t, back.body, other)
	once := w.approve(b, back)
	assert.Equal(t, once, w.approve(b, back), "two clicks get one code")
	second := b.get(returned)
	require.Equal(t, 200, second.status, "two clicks at Entra get two pages")
	assert.NotEqual(t, formOf(back.body).Get("transaction"), formOf(second.body).Get("transaction"))
	assert.Equal(t, once, w.approve(b, second), "one sign-in gets one code")
	to, err := url.Parse(once)
	require.NoError(t, err)
	redeemed := redemption(c, to.Query().Get("code"))
	redeemed.Set("redirect_uri", uri)
	got, status := w.token(redeemed)
	assert.Equal(t, 200, status, got.Error)
}

// A browser must show the host in full, and the buttons without scrolling past a long path.
func TestALongAddressLeavesTheButtonsInView(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	uri := "https://app.example/" + strings.Repeat("a", 1500)
	page := w.browser().get(w.request(w.public(uri), "redirect_uri", uri))
	assert.Contains(t, page.body, `<dd class="address">`+uri+`</dd>`)
	assert.Contains(t, page.body, `<dd>app.example</dd>`)
	assert.Regexp(t, `(?m)^\.address \{ max-height: \d+em; overflow-y: auto; \}$`, page.body)
}
