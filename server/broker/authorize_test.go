package broker_test

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/store"
)

func TestFlow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c := w.public()
	page := w.browser().get(w.request(c))
	assert.Contains(t, page.body, "127.0.0.1:5555")
	assert.Contains(t, page.body, "Test &lt;b&gt;client")
	assert.Contains(t, page.header.Get("Content-Security-Policy"), "frame-ancestors 'none'")
	result := w.code(c, w.browser())
	assert.Equal(t, w.origin, result.Get("iss"))
	assert.Equal(t, `a "b&c+d%`, result.Get("state"))
	got, status := w.token(redemption(c, result.Get("code")))
	require.Equal(t, 200, status)
	caller, err := w.broker.Verify(t.Context(), got.Access)
	require.NoError(t, err)
	upstream, err := w.broker.UpstreamToken(t.Context(), caller.GrantID)
	require.NoError(t, err)
	assert.NotEqual(t, upstream, got.Access)
	assert.False(t, w.good(upstream), "Entra's token is not ours")
}

func TestAuthorizeRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c := w.public()
	for name, test := range map[string]struct {
		change []string
		code   string // "" is a page
	}{
		"no challenge":              {[]string{"code_challenge", ""}, "invalid_request"},
		"plain":                     {[]string{"code_challenge_method", "plain"}, "invalid_request"},
		"no method":                 {[]string{"code_challenge_method", ""}, "invalid_request"},
		"unknown method":            {[]string{"code_challenge_method", "S512"}, "invalid_request"},
		"lower-case method":         {[]string{"code_challenge_method", "s256"}, "invalid_request"},
		"short challenge":           {[]string{"code_challenge", "abc"}, "invalid_request"},
		"token":                     {[]string{"response_type", "token"}, "unsupported_response_type"},
		"no response type":          {[]string{"response_type", ""}, "invalid_request"},
		"fragment":                  {[]string{"response_mode", "fragment"}, "invalid_request"},
		"foreign resource":          {[]string{"resource", "https://other.example/mcp"}, "invalid_target"},
		"relative resource":         {[]string{"resource", "/mcp"}, "invalid_target"},
		"fragment in resource":      {[]string{"resource", w.origin + "/mcp#x"}, "invalid_target"},
		"unknown scope":             {[]string{"scope", "admin"}, "consent"},
		"silently":                  {[]string{"prompt", "none"}, "interaction_required"},
		"unknown client":            {[]string{"client_id", "nobody"}, ""},
		"other path":                {[]string{"redirect_uri", "http://127.0.0.1:5555/cb/x"}, ""},
		"path case":                 {[]string{"redirect_uri", "http://127.0.0.1:5555/CB"}, ""},
		"query added":               {[]string{"redirect_uri", loopback + "?x=1"}, ""},
		"fragment added":            {[]string{"redirect_uri", loopback + "#f"}, ""},
		"other loopback name":       {[]string{"redirect_uri", "http://localhost:5555/cb"}, ""},
		"suffix":                    {[]string{"redirect_uri", "http://127.0.0.1.evil.example/cb"}, ""},
		"user info":                 {[]string{"redirect_uri", "http://127.0.0.1:5555@evil.example/cb"}, ""},
		"short form":                {[]string{"redirect_uri", "http://127.1/cb"}, ""},
		"https":                     {[]string{"redirect_uri", "https://127.0.0.1:5555/cb"}, ""},
		"backslash":                 {[]string{"redirect_uri", `http://evil.example\@127.0.0.1/cb`}, ""},
		"script":                    {[]string{"redirect_uri", "javascript:alert(1)"}, ""},
		"dot segment":               {[]string{"redirect_uri", "http://127.0.0.1/x/../cb"}, ""},
		"encoded path":              {[]string{"redirect_uri", "http://127.0.0.1/%63b"}, ""},
		"nothing wrong but unknown": {[]string{"foo", "bar", "redirect_uri", "http://127.0.0.1:1/cb"}, "consent"},
		"upper-case resource":       {[]string{"resource", strings.Replace(w.origin, "http://localhost", "HTTP://LOCALHOST", 1) + "/mcp"}, "consent"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := w.browser().get(w.request(c, test.change...))
			switch test.code {
			case "":
				assert.Equal(t, 400, a.status)
				assert.Empty(t, a.header.Get("Location"))
				assert.NotContains(t, a.body, "evil.example")
			case "consent":
				assert.Equal(t, 200, a.status)
				assert.Contains(t, a.body, "Approve")
			default:
				assert.Equal(t, 302, a.status)
				q := a.location(t)
				assert.Equal(t, test.code, q.Get("error"))
				assert.Equal(t, w.origin, q.Get("iss"))
				assert.Equal(t, `a "b&c+d%`, q.Get("state"))
			}
			assert.Empty(t, a.header.Get("Access-Control-Allow-Origin"))
		})
	}
	a := w.browser().get(w.request(c) + "&redirect_uri=" + url.QueryEscape(loopback))
	assert.Equal(t, 400, a.status, "a parameter twice")
}

func TestSitesAreNotBouncedTo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	const site = "https://evil.example/cb?x=1"
	c := w.public(site)
	a := w.browser().get(w.request(c, "redirect_uri", site, "response_type", "token"))
	assert.Equal(t, 400, a.status)
	assert.Empty(t, a.header.Get("Location"))
	assert.NotContains(t, a.body, "http-equiv")
	to, err := url.Parse(unescape(onward.FindStringSubmatch(a.body)[1]))
	require.NoError(t, err, "the person can go there")
	assert.Equal(t, "unsupported_response_type", to.Query().Get("error"))
	assert.Equal(t, "1", to.Query().Get("x"))
	assert.Equal(t, w.origin, to.Query().Get("iss"))

	silent := w.browser().get(w.request(c, "redirect_uri", site, "prompt", "none"))
	assert.Equal(t, "interaction_required", offered(t, silent).Get("error"), "prompt=none goes nowhere by itself")
	assert.Equal(t, 400, silent.status)

	b := w.browser()
	form := formOf(b.get(w.request(c, "redirect_uri", site)).body)
	form.Set("answer", "deny")
	denied := b.post(w.origin+"/authorize/consent", form, "Origin", w.origin, "Sec-Fetch-Site", "same-origin")
	assert.Equal(t, 200, denied.status)
	assert.Equal(t, "access_denied", offered(t, denied).Get("error"))
	assert.Contains(t, denied.body, "<strong>evil.example</strong>")

	to, err = url.Parse(w.signIn(b, w.approve(b, b.get(w.request(c, "redirect_uri", site))), ""))
	require.NoError(t, err)
	to.RawQuery = url.Values{"error": {"access_denied"}, "state": {to.Query().Get("state")}}.Encode()
	failed := b.get(to.String())
	assert.Equal(t, "access_denied", offered(t, failed).Get("error"), "approved, and not signed in")
}

// offered is an answer that a page has a link for, and does not go to by itself.
func offered(t *testing.T, a answer) url.Values {
	t.Helper()
	assert.Empty(t, a.header.Get("Location"))
	assert.Empty(t, a.header.Get("Refresh"))
	assert.NotContains(t, a.body, "http-equiv")
	link := onward.FindStringSubmatch(a.body)
	require.NotNil(t, link, a.body)
	to, err := url.Parse(unescape(link[1]))
	require.NoError(t, err)
	return to.Query()
}

func TestApprovedSitesAreTrusted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	const site = "https://app.example/cb"
	c := w.public(site, "https://app.example/other")
	b := w.browser()
	w.code(c, b, "redirect_uri", site)
	crossSite := []string{"Sec-Fetch-Site", "cross-site"}
	silent := b.get(w.request(c, "redirect_uri", site, "prompt", "none"), crossSite...)
	assert.Equal(t, "interaction_required", silent.location(t).Get("error"), silent.body)
	broken := b.get(w.request(c, "redirect_uri", site, "response_type", "token"), crossSite...)
	assert.Equal(t, "unsupported_response_type", broken.location(t).Get("error"), broken.body)
	form := formOf(b.get(w.request(c, "redirect_uri", site), crossSite...).body)
	form.Set("answer", "deny")
	denied := b.post(w.origin+"/authorize/consent", form, "Origin", w.origin, "Sec-Fetch-Site", "same-origin")
	assert.Contains(t, denied.body, "http-equiv")

	for name, change := range map[string][]string{
		"another redirect URI": {"redirect_uri", "https://app.example/other", "prompt", "none"},
		"another client":       {"redirect_uri", site, "prompt", "none", "client_id", w.public(site).ID},
	} {
		a := b.get(w.request(c, change...), crossSite...)
		assert.Equal(t, "interaction_required", offered(t, a).Get("error"), name)
	}
	a := w.browser().get(w.request(c, "redirect_uri", site, "prompt", "none"))
	assert.Equal(t, "interaction_required", offered(t, a).Get("error"), "another browser")

	w.withheld.Store(true)
	fresh := w.public(site)
	less := b.get(w.signIn(b, w.approve(b, b.get(w.request(fresh, "redirect_uri", site))), ""))
	assert.Equal(t, "access_denied", less.location(t).Get("error"), "signed in, and approved in this flow")
}

func TestAnotherPersonTrustsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	const site = "https://app.example/cb"
	c := w.public(site)
	b := w.browser()
	w.code(c, b, "redirect_uri", site)
	skipped := b.get(w.request(c, "redirect_uri", site, "prompt", "select_account"), "Sec-Fetch-Site", "none")
	require.Equal(t, 302, skipped.status)
	other := w.fake.Tenant().Users[1].UserPrincipalName
	page := b.get(w.signIn(b, skipped.header.Get("Location"), other))
	form := formOf(page.body)
	form.Set("answer", "deny")
	denied := b.post(w.origin+"/authorize/consent", form, "Origin", w.origin, "Sec-Fetch-Site", "same-origin")
	assert.Equal(t, "access_denied", offered(t, denied).Get("error"))
}

func TestTheRedirectURIIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	for uri, separator := range map[string]string{
		"http://127.0.0.1/a'b\"c<d>":   "?",
		"http://127.0.0.1/cb?a={x}|y'": "&",
		"HTTP://LocalHost/%7e%7E":      "?",
		"http://127.0.0.1":             "?",
		"http://127.0.0.1/cb?":         "&",
	} {
		c := w.public(uri)
		a := w.browser().get(w.request(c, "redirect_uri", uri, "prompt", "none"))
		require.Equal(t, 302, a.status, a.body)
		assert.Contains(t, a.header.Get("Location"), uri+separator+"error=", "character by character")
	}
}

func TestPromptIsAList(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c := w.public()
	b := w.browser()
	w.code(c, b)
	a := b.get(w.request(c, "prompt", "login consent"), "Sec-Fetch-Site", "none")
	assert.Equal(t, 200, a.status, "consent was asked for, so it is asked")
	for _, prompts := range []string{"none login", "none other", "x none"} {
		a = b.get(w.request(c, "prompt", prompts), "Sec-Fetch-Site", "none")
		assert.Equal(t, "invalid_request", a.location(t).Get("error"), prompts)
	}
}

// A weighing is a store that knows the largest record of a kind.
type weighing struct {
	store.Store
	largest map[string]int
}

func (s *weighing) Put(ctx context.Context, record store.Record) (int64, error) {
	s.largest[record.Kind] = max(s.largest[record.Kind], len(record.Value))
	return s.Store.Put(ctx, record)
}

// TestTransactionsStaySmall sends what costs the most to remember. Strangers can make the server
// remember thousands of transactions.
func TestTransactionsStaySmall(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	held := &weighing{Store: store.NewMemory(store.Config{Now: w.now}), largest: map[string]int{}}
	w.broker = w.start(options{store: held})
	short := "https://app.example/cb"
	long := "https://app.example/?" + strings.Repeat("<", 2000)
	c := w.public(short, long)
	for _, change := range [][]string{
		{"prompt", strings.Repeat("a ", 6000)}, {"prompt", strings.Repeat("login ", 2000)},
		{"state", strings.Repeat("<", 4000)}, {"state", strings.Repeat("\"", 4000)},
		{"scope", strings.Repeat("user.read ", 1000)}, {"scope", strings.Repeat("b ", 6000)},
		{"redirect_uri", long},
	} {
		page := w.browser().get(w.request(c, append([]string{"redirect_uri", short}, change...)...))
		assert.Equal(t, 200, page.status, "%.20s", change[1])
	}
	control := w.browser().get(w.request(c, "state", strings.Repeat("\x01", 4000), "redirect_uri", short))
	assert.Equal(t, 400, control.status)
	assert.LessOrEqual(t, held.largest["transaction"], 12<<10)
	assert.LessOrEqual(t, held.largest["client"], 8<<10)
}

func TestSilentStaysSilent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c := w.public("https://app.example/cb")
	b := w.browser()
	w.code(c, b, "redirect_uri", "https://app.example/cb")
	a := b.get(w.request(c, "redirect_uri", "https://app.example/cb", "prompt", "none"), "Sec-Fetch-Site", "none")
	assert.Equal(t, "none", a.location(t).Get("prompt"), a.header.Get("Location"))
}
