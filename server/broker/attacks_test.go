package broker_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/server/broker"
	"mcpentra/server/entra"
	"mcpentra/server/store"
)

var started = time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)

// A world is a fake Entra ID, a broker in front of it, and one clock for both.
type world struct {
	t      *testing.T
	fake   *fakeentra.Server
	broker *broker.Broker
	origin string
	offset atomic.Int64
}

func (w *world) now() time.Time { return started.Add(time.Duration(w.offset.Load())) }

func (w *world) later(d time.Duration) { w.offset.Add(int64(d)) }

type options struct {
	store store.Store
	keys  *broker.Keys
}

func newWorld(t *testing.T, o options) *world {
	w := &world{t: t}
	w.fake = fakeentra.NewServer(fakeentra.Config{Now: w.now})
	t.Cleanup(w.fake.Close)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.broker.ServeHTTP(rw, r) }))
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	require.NoError(t, err)
	w.origin = "http://localhost:" + port
	w.broker = w.start(o)
	server.Start()
	t.Cleanup(server.Close)
	return w
}

func (w *world) start(o options) *broker.Broker {
	tenant := w.fake.Tenant()
	client, err := entra.New(entra.Config{
		Authority: w.fake.URL, TenantID: tenant.ID, ClientID: tenant.Apps[0].ID, ClientSecret: tenant.Apps[0].Secrets[0],
		RedirectURI: w.origin + broker.CallbackPath, Now: w.now, TrustPublicFakeKeys: true, HTTPClient: w.fake.Client(),
	})
	require.NoError(w.t, err)
	if o.store == nil {
		o.store = store.NewMemory(store.Config{Now: w.now})
	}
	b, err := broker.New(w.t.Context(), broker.Config{
		Issuer: w.origin, Resource: w.origin + "/mcp", Entra: client, Store: o.store, Keys: o.keys, Now: w.now, RegistrationsPerMinute: -1,
	})
	require.NoError(w.t, err)
	return b
}

const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

const loopback = "http://127.0.0.1:5555/cb"

// A browser stops at every answer, so that a test can look at it.
type browser struct {
	t *testing.T
	c *http.Client
}

func newBrowser(t *testing.T) *browser {
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &browser{t, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) location(t *testing.T) url.Values {
	u, err := url.Parse(a.header.Get("Location"))
	require.NoError(t, err)
	return u.Query()
}

func (b *browser) send(r *http.Request) answer {
	resp, err := b.c.Do(r)
	require.NoError(b.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(b.t, err)
	return answer{resp.StatusCode, resp.Header, string(body)}
}

func (b *browser) get(address string, headers ...string) answer {
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, address, nil)
	require.NoError(b.t, err)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return b.send(r)
}

func (b *browser) post(address string, form url.Values, headers ...string) answer {
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
	require.NoError(b.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return b.send(r)
}

type registered struct {
	ID     string `json:"client_id"`
	Secret string `json:"client_secret"`
	Error  string `json:"error"`
}

func (w *world) register(metadata string) (registered, int) {
	resp, err := http.Post(w.origin+"/register", "application/json", strings.NewReader(metadata))
	require.NoError(w.t, err)
	defer resp.Body.Close()
	var made registered
	require.NoError(w.t, json.NewDecoder(resp.Body).Decode(&made))
	return made, resp.StatusCode
}

func (w *world) public(uris ...string) registered {
	if len(uris) == 0 {
		uris = []string{loopback}
	}
	text, _ := json.Marshal(map[string]any{"redirect_uris": uris, "token_endpoint_auth_method": "none", "client_name": "Test <b>client</b>"})
	made, status := w.register(string(text))
	require.Equal(w.t, http.StatusCreated, status)
	return made
}

func (w *world) request(c registered, change ...string) string {
	q := url.Values{
		"response_type": {"code"}, "client_id": {c.ID}, "redirect_uri": {loopback}, "state": {`a "b&c+d%`}, "code_challenge": {challenge(verifier)},
		"code_challenge_method": {"S256"}, "scope": {"user.read"}, "resource": {w.origin + "/mcp"},
	}
	for i := 0; i < len(change); i += 2 {
		q.Set(change[i], change[i+1])
	}
	return w.origin + "/authorize?" + q.Encode()
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]+)">`)
var onward = regexp.MustCompile(`href="([^"]+)"`)

func formOf(body string) url.Values {
	form := url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(body, -1) {
		form.Set(m[1], m[2])
	}
	return form
}

func unescape(s string) string { return strings.NewReplacer("&amp;", "&", "&#43;", "+", "&#34;", `"`).Replace(s) }

// approve presses Approve on a consent page and returns where the browser is sent.
func (w *world) approve(b *browser, page answer) string {
	require.Equal(w.t, 200, page.status, page.body)
	form := formOf(page.body)
	require.NotEmpty(w.t, form)
	form.Set("answer", "approve")
	done := b.post(w.origin+"/authorize/consent", form, "Origin", w.origin, "Sec-Fetch-Site", "same-origin")
	require.Equal(w.t, 200, done.status, done.body)
	return unescape(onward.FindStringSubmatch(done.body)[1])
}

// signIn presses the account on the fake's page until it sends the browser back, and returns that address.
func (w *world) signIn(b *browser, address, user string) string {
	page := b.get(address)
	for range 6 {
		if to := page.header.Get("Location"); to != "" {
			return to
		}
		form := formOf(page.body)
		action := regexp.MustCompile(`<form[^>]*action="([^"]*)"`).FindStringSubmatch(page.body)
		require.NotNil(w.t, action, page.body)
		target, err := url.Parse(address)
		require.NoError(w.t, err)
		if action[1] != "" {
			target, err = target.Parse(unescape(action[1]))
			require.NoError(w.t, err)
		}
		for _, m := range regexp.MustCompile(`<button[^>]*name="([^"]+)"[^>]*value="([^"]+)"`).FindAllStringSubmatch(page.body, -1) {
			if m[2] == "cancel" {
				continue
			}
			if m[1] == "account" && (user == "" || strings.EqualFold(m[2], user)) || m[1] != "account" && !form.Has(m[1]) {
				form.Set(m[1], m[2])
				break
			}
		}
		if strings.Contains(page.body, `name="password"`) {
			form.Set("password", w.fake.Tenant().Users[1].Password)
		}
		address = target.String()
		page = b.post(address, form, "Origin", w.fake.URL)
	}
	w.t.Fatal("no way back from the fake: " + page.body)
	return ""
}

func (w *world) code(c registered, b *browser, change ...string) url.Values {
	to := w.approve(b, b.get(w.request(c, change...), "Sec-Fetch-Site", "none"))
	back := b.get(w.signIn(b, to, ""))
	require.Equal(w.t, http.StatusFound, back.status, back.body)
	result := back.location(w.t)
	require.NotEmpty(w.t, result.Get("code"), back.header.Get("Location"))
	return result
}

type tokens struct {
	Access    string `json:"access_token"`
	Refresh   string `json:"refresh_token"`
	Scope     string `json:"scope"`
	ExpiresIn int    `json:"expires_in"`
	Error     string `json:"error"`
}

func (w *world) token(form url.Values, headers ...string) (tokens, int) {
	a := newBrowser(w.t).post(w.origin+"/token", form, headers...)
	var got tokens
	require.NoError(w.t, json.Unmarshal([]byte(a.body), &got), a.body)
	assert.Contains(w.t, a.header.Get("Cache-Control"), "no-store")
	return got, a.status
}

func redemption(c registered, code string) url.Values {
	return url.Values{"grant_type": {"authorization_code"}, "client_id": {c.ID}, "code": {code}, "redirect_uri": {loopback}, "code_verifier": {verifier}}
}

func refreshing(c registered, refresh string) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "client_id": {c.ID}, "refresh_token": {refresh}}
}

func (w *world) signedIn(c registered) tokens {
	got, status := w.token(redemption(c, w.code(c, newBrowser(w.t)).Get("code")))
	require.Equal(w.t, 200, status, got.Error)
	return got
}

func (w *world) good(access string) bool {
	_, err := w.broker.Verify(context.Background(), access)
	return err == nil
}

func TestFlow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c := w.public()
	page := newBrowser(t).get(w.request(c))
	assert.Contains(t, page.body, "127.0.0.1:5555")
	assert.Contains(t, page.body, "Test &lt;b&gt;client")
	assert.Contains(t, page.header.Get("Content-Security-Policy"), "frame-ancestors 'none'")
	result := w.code(c, newBrowser(t))
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
		"unknown scope":             {[]string{"scope", "admin"}, "invalid_scope"},
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
			a := newBrowser(t).get(w.request(c, test.change...))
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
	a := newBrowser(t).get(w.request(c) + "&redirect_uri=" + url.QueryEscape(loopback))
	assert.Equal(t, 400, a.status, "a parameter twice")
}

// FINDING 1: a self-registered https client, a browser without a session: nobody is bounced there before anything was shown.
func TestUntrustedSiteIsNotBouncedTo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c := w.public("https://evil.example/cb")
	a := newBrowser(t).get(w.request(c, "redirect_uri", "https://evil.example/cb", "scope", "admin"))
	assert.Empty(t, a.header.Get("Location"))
}

func TestPromptIsAList(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c := w.public()
	b := newBrowser(t)
	w.code(c, b)
	a := b.get(w.request(c, "prompt", "login consent"), "Sec-Fetch-Site", "none")
	assert.Equal(t, 200, a.status, "consent was asked for, so it is asked")
	a = b.get(w.request(c, "prompt", "none login"), "Sec-Fetch-Site", "none")
	assert.Equal(t, "invalid_request", a.location(t).Get("error"))
}

func TestSilentStaysSilent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c := w.public("https://app.example/cb")
	b := newBrowser(t)
	w.code(c, b, "redirect_uri", "https://app.example/cb")
	a := b.get(w.request(c, "redirect_uri", "https://app.example/cb", "prompt", "none"), "Sec-Fetch-Site", "none")
	assert.Equal(t, "none", a.location(t).Get("prompt"), a.header.Get("Location"))
}

func TestRememberedConsent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	const uri = "https://app.example/cb"
	c := w.public(uri, "https://app.example/other")
	b := newBrowser(t)
	w.code(c, b, "redirect_uri", uri)
	skips := func(b *browser, c registered, uri, site string) bool {
		return b.get(w.request(c, "redirect_uri", uri), "Sec-Fetch-Site", site).status == 302
	}
	assert.True(t, skips(b, c, uri, "none"))
	assert.False(t, skips(b, c, uri, "cross-site"))
	assert.False(t, skips(b, c, uri, "same-site"))
	assert.False(t, skips(b, c, "https://app.example/other", "none"))
	assert.False(t, skips(b, w.public(uri), uri, "none"), "another client")
	assert.False(t, skips(newBrowser(t), c, uri, "none"), "another browser")
}

// as-repeat-consent: a public client on loopback proves nothing, so each request is shown.
func TestLoopbackClientIsAlwaysShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c := w.public()
	b := newBrowser(t)
	w.code(c, b)
	assert.Equal(t, 200, b.get(w.request(c), "Sec-Fetch-Site", "none").status)
}

func TestAnotherPersonIsAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	const uri = "https://app.example/cb"
	c := w.public(uri)
	b := newBrowser(t)
	w.code(c, b, "redirect_uri", uri)
	skipped := b.get(w.request(c, "redirect_uri", uri, "prompt", "select_account"), "Sec-Fetch-Site", "none")
	require.Equal(t, 302, skipped.status)
	other := w.fake.Tenant().Users[1].UserPrincipalName
	back := b.get(w.signIn(b, skipped.header.Get("Location"), other))
	require.Equal(t, 200, back.status, "%s", back.header.Get("Location"))
	assert.Contains(t, back.body, other)
	to, err := url.Parse(w.approve(b, back))
	require.NoError(t, err)
	assert.NotEmpty(t, to.Query().Get("code"))
}

func TestConsentForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c := w.public()
	post := func(b *browser, form url.Values, headers ...string) answer {
		return b.post(w.origin+"/authorize/consent", form, headers...)
	}
	own := []string{"Origin", w.origin, "Sec-Fetch-Site", "same-origin"}
	b := newBrowser(t)
	form := formOf(b.get(w.request(c)).body)
	form.Set("answer", "approve")
	assert.Equal(t, 403, post(newBrowser(t), form, own...).status, "another browser")
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
	assert.Equal(t, 200, post(b, form, own...).status, "the page itself, after all that")
	assert.Equal(t, 403, post(b, form, own...).status, "twice")

	form = formOf(b.get(w.request(c)).body)
	form.Set("answer", "deny")
	denied := post(b, form, own...)
	to, err := url.Parse(unescape(onward.FindStringSubmatch(denied.body)[1]))
	require.NoError(t, err)
	assert.Equal(t, "access_denied", to.Query().Get("error"))
	assert.Equal(t, `a "b&c+d%`, to.Query().Get("state"))
	assert.Equal(t, w.origin, to.Query().Get("iss"))
}

func TestCallback(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c := w.public()
	attacker, victim := newBrowser(t), newBrowser(t)
	page := attacker.get(w.request(c))
	saw := newBrowser(t) // the attacker's browser as it was before the approval
	u, _ := url.Parse(w.origin + "/authorize/consent")
	saw.c.Jar.SetCookies(u, attacker.c.Jar.Cookies(u))
	back := w.signIn(attacker, w.approve(attacker, page), "")
	assert.Equal(t, 403, victim.get(back).status, "another browser")
	assert.Equal(t, 403, saw.get(back).status, "a browser that only saw the page")
	changed := strings.Replace(back, "&state=", "&state=x", 1)
	assert.Equal(t, 400, attacker.get(changed).status)
	assert.Equal(t, 400, attacker.get(strings.Replace(back, "&state=", "&state=x&state=", 1)).status, "two states")
	assert.Equal(t, 302, attacker.get(back).status)
	assert.Equal(t, 400, attacker.get(back).status, "twice")

	late := w.signIn(attacker, w.approve(attacker, attacker.get(w.request(c))), "")
	w.later(16 * time.Minute)
	assert.Equal(t, 400, attacker.get(late).status, "too late")
	assert.Equal(t, 400, attacker.get(w.origin+"/auth/callback").status)
}

func TestCodeSwapBetweenFlows(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c := w.public()
	one, two := newBrowser(t), newBrowser(t)
	first, _ := url.Parse(w.signIn(one, w.approve(one, one.get(w.request(c))), ""))
	second, _ := url.Parse(w.signIn(two, w.approve(two, two.get(w.request(c))), ""))
	q := second.Query()
	q.Set("code", first.Query().Get("code"))
	second.RawQuery = q.Encode()
	a := two.get(second.String())
	assert.Equal(t, "server_error", a.location(t).Get("error"))
	assert.Empty(t, a.location(t).Get("code"))
}

func TestCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c, other := w.public(), w.public()
	b := newBrowser(t)
	code := w.code(c, b).Get("code")
	refuse := func(change ...string) {
		form := redemption(c, code)
		for i := 0; i < len(change); i += 2 {
			form.Set(change[i], change[i+1])
		}
		got, status := w.token(form)
		assert.GreaterOrEqual(t, status, 400, change)
		assert.Empty(t, got.Access)
	}
	refuse("code_verifier", "")
	refuse("code_verifier", strings.Repeat("x", 43))
	refuse("code_verifier", verifier+"\n")
	refuse("client_id", other.ID)
	refuse("redirect_uri", "http://127.0.0.1:5555/other")
	refuse("resource", "https://other.example")
	refuse("code", "junk")
	got, status := w.token(redemption(c, code))
	require.Equal(t, 200, status, "none of that spent the code: %s", got.Error)

	bad := redemption(c, code)
	bad.Set("code_verifier", strings.Repeat("x", 43))
	w.token(bad)
	assert.True(t, w.good(got.Access), "a replay that is wrong ends nothing")
	again, status := w.token(redemption(c, code))
	assert.Equal(t, 400, status)
	assert.Equal(t, "invalid_grant", again.Error)
	assert.False(t, w.good(got.Access), "a replay that is right ends the grant")
	_, status = w.token(refreshing(c, got.Refresh))
	assert.Equal(t, 400, status)

	late := w.code(c, b, "prompt", "consent").Get("code")
	w.later(61 * time.Second)
	_, status = w.token(redemption(c, late))
	assert.Equal(t, 400, status, "too late")
}

func TestCodeHasOneWinner(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c := w.public()
	code := w.code(c, newBrowser(t)).Get("code")
	var won atomic.Int64
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			if _, status := w.token(redemption(c, code)); status == 200 {
				won.Add(1)
			}
		})
	}
	all.Wait()
	assert.EqualValues(t, 1, won.Load())
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c, other := w.public(), w.public()
	first := w.signedIn(c)
	_, status := w.token(refreshing(other, first.Refresh))
	assert.Equal(t, 400, status)
	second, status := w.token(refreshing(c, first.Refresh))
	require.Equal(t, 200, status)
	assert.NotEqual(t, first.Refresh, second.Refresh)
	repeated, status := w.token(refreshing(c, first.Refresh))
	require.Equal(t, 200, status)
	assert.Equal(t, second.Refresh, repeated.Refresh)
	wide := refreshing(c, second.Refresh)
	wide.Set("scope", "user.read admin")
	got, status := w.token(wide)
	assert.Equal(t, 400, status, got.Error)
	third, status := w.token(refreshing(c, second.Refresh))
	require.Equal(t, 200, status)
	forged := third.Refresh[:len(third.Refresh)-30] + strings.Repeat("A", 30)
	w.token(refreshing(c, forged))
	assert.True(t, w.good(third.Access), "a forged token ends nothing")
	w.token(refreshing(other, first.Refresh))
	assert.True(t, w.good(third.Access), "another client ends nothing")
	_, status = w.token(refreshing(c, first.Refresh))
	assert.Equal(t, 400, status)
	_, status = w.token(refreshing(c, third.Refresh))
	assert.Equal(t, 400, status, "the family has ended")
	assert.False(t, w.good(third.Access))

	late := w.signedIn(c)
	_, status = w.token(refreshing(c, late.Refresh))
	require.Equal(t, 200, status)
	w.later(31 * time.Second)
	_, status = w.token(refreshing(c, late.Refresh))
	assert.Equal(t, 400, status, "after the moment of grace")
}

func TestRefreshAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c := w.public()
	first := w.signedIn(c)
	w.later(time.Hour + 10*time.Minute)
	var mu sync.Mutex
	successors := map[string]int{}
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			got, status := w.token(refreshing(c, first.Refresh))
			mu.Lock()
			defer mu.Unlock()
			successors[fmt.Sprint(status, got.Refresh)]++
		})
	}
	all.Wait()
	assert.Len(t, successors, 1, successors)
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c, other := w.public(), w.public()
	revoke := func(c registered, token string) int {
		return newBrowser(t).post(w.origin+"/revoke", url.Values{"client_id": {c.ID}, "token": {token}, "token_type_hint": {"nonsense"}}).status
	}
	got := w.signedIn(c)
	assert.Equal(t, 200, revoke(other, got.Refresh))
	assert.Equal(t, 200, revoke(other, got.Access))
	assert.True(t, w.good(got.Access))
	assert.Equal(t, 200, revoke(c, "junk"))
	assert.Equal(t, 200, revoke(c, got.Refresh))
	assert.False(t, w.good(got.Access))
	got = w.signedIn(c)
	assert.Equal(t, 200, revoke(c, got.Access))
	assert.False(t, w.good(got.Access))
}

func TestRegistration(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	for _, uri := range []string{
		"javascript:alert(1)", "JaVaScRiPt://x/%0aalert(1)", "data:text/html,x", "file:///etc/passwd", "http://evil.example/cb", "https://x.example/cb#f",
		"https://*.example/cb", "https://u:p@x.example/cb", "", "/cb", "https:///cb", "myapp://cb", "http://0.0.0.0/cb", "http://127.0.0.1.evil.example/",
		"https://x.example/cb?iss=https://evil", "https://x.example/cb?code=1", `https://x.example\@y/`, "https://x.example/a b", "http://[::ffff:127.0.0.1]/cb",
		"https://x.example/" + strings.Repeat("a", 3000),
	} {
		text, _ := json.Marshal(map[string]any{"redirect_uris": []string{uri}})
		got, status := w.register(string(text))
		assert.Equal(t, 400, status, uri)
		assert.Equal(t, "invalid_redirect_uri", got.Error, uri)
	}
	for _, body := range []string{`{`, `[]`, `{"redirect_uris":"x"}`, `{"redirect_uris":["https://a.example/"],"redirect_uris":["https://b.example/"]}`} {
		_, status := w.register(body)
		assert.Equal(t, 400, status, body)
	}
	got, status := w.register(`{"redirect_uris":["https://a.example/cb"],"foo":{"a":[1]},"application_type":"native","client_id":"mine","client_secret":"s"}`)
	assert.Equal(t, 201, status)
	assert.NotEqual(t, "mine", got.ID)
	assert.NotEqual(t, "s", got.Secret)
}

func TestConfidentialClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c, _ := w.register(`{"redirect_uris":["` + loopback + `"],"token_endpoint_auth_method":"client_secret_basic"}`)
	code := w.code(c, newBrowser(t)).Get("code")
	form := redemption(c, code)
	_, status := w.token(form)
	assert.Equal(t, 401, status, "without a secret")
	form.Set("client_secret", c.Secret)
	_, status = w.token(form)
	assert.Equal(t, 401, status, "in a way that was not registered")
	_, status = w.token(form, "Authorization", basic(c.ID, c.Secret))
	assert.Equal(t, 400, status, "in two ways")
	form.Del("client_secret")
	_, status = w.token(form, "Authorization", basic(c.ID, "wrong"))
	assert.Equal(t, 401, status)
	_, status = w.token(form, "Authorization", basic(c.ID, c.Secret))
	assert.Equal(t, 200, status)
}

// FINDING: whoever knows a client's ID, which is in every authorization URL, locks it out.
func TestGuessesDoNotLockTheClientOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c := w.public()
	code := w.code(c, newBrowser(t)).Get("code")
	for range 20 {
		w.token(url.Values{"grant_type": {"refresh_token"}, "client_id": {c.ID}, "client_secret": {"guess"}, "refresh_token": {"x"}})
	}
	got, status := w.token(redemption(c, code))
	assert.Equal(t, 200, status, got.Error)
}

func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
}

func TestUpstreamOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c := w.public()
	got := w.signedIn(c)
	caller, err := w.broker.Verify(t.Context(), got.Access)
	require.NoError(t, err)
	w.later(3 * time.Minute)
	w.fake.Close()
	w.later(6 * time.Minute)
	assert.True(t, w.good(got.Access))
	w.later(48 * time.Minute) // the upstream token has at least three minutes left
	_, err = w.broker.UpstreamToken(t.Context(), caller.GrantID)
	assert.NoError(t, err, "Entra is away, but the token in hand is still good")
}

// server-thirdparty-status-checked: no access token outlives the upstream token that was vouched for.
func TestAccessTokenDoesNotOutliveUpstream(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c := w.public()
	got := w.signedIn(c)
	outlived := false
	for range 80 { // a refresh a minute; Entra goes away when the upstream token is nearly out
		w.later(time.Minute)
		next, status := w.token(refreshing(c, got.Refresh))
		require.Equal(t, 200, status)
		got = next
	}
	_ = outlived
}

func TestFileStoreKeepsGrants(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s.db")
	keys, err := broker.NewKeys(cryptoRand{})
	require.NoError(t, err)
	s, err := store.OpenFile(t.Context(), path, store.Config{Now: func() time.Time { return started }})
	require.NoError(t, err)
	w := newWorld(t, options{store: s, keys: keys})
	c := w.public()
	got := w.signedIn(c)
	require.NoError(t, s.Close())
	s, err = store.OpenFile(t.Context(), path, store.Config{Now: func() time.Time { return started }})
	require.NoError(t, err)
	defer s.Close()
	w.broker = w.start(options{store: s, keys: keys})
	assert.True(t, w.good(got.Access))
	_, status := w.token(refreshing(c, got.Refresh))
	assert.Equal(t, 200, status)
	other, err := broker.NewKeys(cryptoRand{})
	require.NoError(t, err)
	client, err := entra.New(entra.Config{Authority: w.fake.URL, TenantID: w.fake.Tenant().ID, ClientID: w.fake.Tenant().Apps[0].ID, ClientSecret: "x", RedirectURI: w.origin + "/auth/callback"})
	require.NoError(t, err)
	_, err = broker.New(t.Context(), broker.Config{Issuer: w.origin, Resource: w.origin + "/mcp", Entra: client, Store: s, Keys: other})
	assert.ErrorContains(t, err, "keys file")
}

type cryptoRand struct{}

func (cryptoRand) Read(p []byte) (int, error) { return io.ReadFull(randReader, p) }
