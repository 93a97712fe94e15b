package broker_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSignInFlow(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	c := e.public()
	page := e.browser().get(e.request(c))
	assert.Contains(t, page.body, "127.0.0.1:5555")
	assert.Contains(t, page.body, "Test &lt;b&gt;client")
	assert.Contains(t, page.header.Get("Content-Security-Policy"), "frame-ancestors 'none'")
	result := e.code(c, e.browser())
	assert.Equal(t, e.origin, result.Get("iss"))
	assert.Equal(t, `a "b&c+d%`, result.Get("state"))
	got, status := e.token(redemption(c, result.Get("code")))
	require.Equal(t, 200, status)
	caller, err := e.broker.Verify(t.Context(), got.Access)
	require.NoError(t, err)
	upstream, err := e.broker.UpstreamToken(t.Context(), caller.GrantID)
	require.NoError(t, err)
	assert.NotEqual(t, upstream, got.Access)
	assert.False(t, e.good(upstream), "Entra's token is not ours")
}

func TestAuthorizeJudgesRequests(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	c := e.public()
	upper := strings.Replace(e.origin, "http://localhost", "HTTP://LOCALHOST", 1)
	for _, test := range []struct {
		name   string
		code   string // the error that goes back; "page" stays here, and "consent" means that it passes
		change []string
	}{
		{"no challenge", "invalid_request", []string{"code_challenge", ""}},
		{"plain", "invalid_request", []string{"code_challenge_method", "plain"}},
		{"no method", "invalid_request", []string{"code_challenge_method", ""}},
		{"unknown method", "invalid_request", []string{"code_challenge_method", "S512"}},
		{"lower-case method", "invalid_request", []string{"code_challenge_method", "s256"}},
		{"short challenge", "invalid_request", []string{"code_challenge", "abc"}},
		{"response type token", "unsupported_response_type", []string{"response_type", "token"}},
		{"no response type", "invalid_request", []string{"response_type", ""}},
		{"response mode fragment", "invalid_request", []string{"response_mode", "fragment"}},
		{"foreign resource", "invalid_target", []string{"resource", "https://other.example/mcp"}},
		{"relative resource", "invalid_target", []string{"resource", "/mcp"}},
		{"fragment in resource", "invalid_target", []string{"resource", e.origin + "/mcp#x"}},
		{"unknown scope", "consent", []string{"scope", "admin"}},
		{"prompt none", "interaction_required", []string{"prompt", "none"}},
		{"unknown client", "page", []string{"client_id", "unknown"}},
		{"other path", "page", []string{"redirect_uri", "http://127.0.0.1:5555/cb/x"}},
		{"path case", "page", []string{"redirect_uri", "http://127.0.0.1:5555/CB"}},
		{"query added", "page", []string{"redirect_uri", loopback + "?x=1"}},
		{"fragment added", "page", []string{"redirect_uri", loopback + "#f"}},
		{"other loopback name", "page", []string{"redirect_uri", "http://localhost:5555/cb"}},
		{"loopback as a prefix", "page", []string{"redirect_uri", "http://127.0.0.1.evil.example/cb"}},
		{"user info", "page", []string{"redirect_uri", "http://127.0.0.1:5555@evil.example/cb"}},
		{"short form", "page", []string{"redirect_uri", "http://127.1/cb"}},
		{"other scheme", "page", []string{"redirect_uri", "https://127.0.0.1:5555/cb"}},
		{"backslash", "page", []string{"redirect_uri", `http://evil.example\@127.0.0.1/cb`}},
		{"javascript URI", "page", []string{"redirect_uri", "javascript:alert(1)"}},
		{"dot segment", "page", []string{"redirect_uri", "http://127.0.0.1/x/../cb"}},
		{"encoded path", "page", []string{"redirect_uri", "http://127.0.0.1/%63b"}},
		{"empty query", "page", []string{"redirect_uri", loopback + "?"}},
		{"scheme case", "page", []string{"redirect_uri", "HTTP://127.0.0.1:5555/cb"}},
		{"empty port", "page", []string{"redirect_uri", "http://127.0.0.1:/cb"}},
		{"unusual port", "page", []string{"redirect_uri", "http://127.0.0.1:05555/cb"}},
		{"no port", "consent", []string{"redirect_uri", "http://127.0.0.1/cb"}},
		{"unknown parameter, other port", "consent", []string{"foo", "bar", "redirect_uri", "http://127.0.0.1:1/cb"}},
		{"upper-case resource", "consent", []string{"resource", upper + "/mcp"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := e.browser().get(e.request(c, test.change...))
			switch test.code {
			case "page":
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
				assert.Equal(t, e.origin, q.Get("iss"))
				assert.Equal(t, `a "b&c+d%`, q.Get("state"))
			}
			assert.Empty(t, a.header.Get("Access-Control-Allow-Origin"))
		})
	}
	a := e.browser().get(e.request(c) + "&redirect_uri=" + url.QueryEscape(loopback))
	assert.Equal(t, 400, a.status, "a parameter twice")
}

func TestUntrustedSitesGetNoRedirect(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	const site = "https://evil.example/cb?x=1"
	c := e.public(site)
	a := e.browser().get(e.request(c, "redirect_uri", site, "response_type", "token"))
	assert.Equal(t, 400, a.status)
	refused := offered(t, a)
	assert.Equal(t, "unsupported_response_type", refused.Get("error"))
	assert.Equal(t, "1", refused.Get("x"))
	assert.Equal(t, e.origin, refused.Get("iss"))

	silent := e.browser().get(e.request(c, "redirect_uri", site, "prompt", "none"))
	assert.Equal(t, "interaction_required", offered(t, silent).Get("error"), "prompt=none shows a page")
	assert.Equal(t, 400, silent.status)

	b := e.browser()
	denied := e.decide(b, b.get(e.request(c, "redirect_uri", site)), "deny")
	assert.Equal(t, 200, denied.status)
	assert.Equal(t, "access_denied", offered(t, denied).Get("error"))
	assert.Contains(t, denied.body, "<strong>evil.example</strong>")

	to, err := url.Parse(e.signIn(b, e.approve(b, b.get(e.request(c, "redirect_uri", site))), ""))
	require.NoError(t, err)
	to.RawQuery = url.Values{"error": {"access_denied"}, "state": {to.Query().Get("state")}}.Encode()
	failed := b.get(to.String())
	assert.Equal(t, "access_denied", offered(t, failed).Get("error"), "approved, and not signed in")
}

func TestApprovedSitesGetRedirect(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	const site = "https://app.example/cb"
	c := e.public(site, "https://app.example/other")
	b := e.browser()
	e.code(c, b, "redirect_uri", site)
	crossSite := []string{"Sec-Fetch-Site", "cross-site"}
	silent := b.get(e.request(c, "redirect_uri", site, "prompt", "none"), crossSite...)
	assert.Equal(t, "interaction_required", silent.location(t).Get("error"), silent.body)
	broken := b.get(e.request(c, "redirect_uri", site, "response_type", "token"), crossSite...)
	assert.Equal(t, "unsupported_response_type", broken.location(t).Get("error"), broken.body)
	denied := e.decide(b, b.get(e.request(c, "redirect_uri", site), crossSite...), "deny")
	assert.Contains(t, denied.body, "http-equiv")

	a := b.get(e.request(c, "redirect_uri", "https://app.example/other", "prompt", "none"), crossSite...)
	assert.Equal(t, "interaction_required", offered(t, a).Get("error"), "another redirect URI")
	a = b.get(e.request(e.public(site), "redirect_uri", site, "prompt", "none"), crossSite...)
	assert.Equal(t, "interaction_required", offered(t, a).Get("error"), "another client")
	a = e.browser().get(e.request(c, "redirect_uri", site, "prompt", "none"))
	assert.Equal(t, "interaction_required", offered(t, a).Get("error"), "another browser")

	e.withheld.Store(true)
	fresh := e.public(site)
	less := b.get(e.signIn(b, e.approve(b, b.get(e.request(fresh, "redirect_uri", site))), ""))
	assert.Equal(t, "access_denied", less.location(t).Get("error"), "signed in, and approved in this flow")
}

func TestApprovalCountsForOnePerson(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	const site = "https://app.example/cb"
	c := e.public(site)
	b := e.browser()
	e.code(c, b, "redirect_uri", site)
	skipped := b.get(e.request(c, "redirect_uri", site, "prompt", "select_account"), "Sec-Fetch-Site", "none")
	require.Equal(t, 302, skipped.status)
	other := e.fake.Tenant().Users[1].UserPrincipalName
	denied := e.decide(b, b.get(e.signIn(b, skipped.header.Get("Location"), other)), "deny")
	assert.Equal(t, "access_denied", offered(t, denied).Get("error"))
}

func TestRedirectURIStaysUnchanged(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	for _, test := range []struct{ uri, separator string }{
		{"http://127.0.0.1/a'b\"c<d>", "?"},
		{"http://127.0.0.1/cb?a={x}|y'", "&"},
		{"HTTP://LocalHost/%7e%7E", "?"},
		{"http://127.0.0.1", "?"},
		{"http://127.0.0.1/cb?", "&"},
	} {
		c := e.public(test.uri)
		a := e.browser().get(e.request(c, "redirect_uri", test.uri, "prompt", "none"))
		require.Equal(t, 302, a.status, a.body)
		assert.Contains(t, a.header.Get("Location"), test.uri+test.separator+"error=", "character by character")
	}
}

func TestPromptIsAList(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	c := e.public()
	b := e.browser()
	e.code(c, b)
	a := b.get(e.request(c, "prompt", "login consent"), "Sec-Fetch-Site", "none")
	assert.Equal(t, 200, a.status, "the client asked for consent, so the person is asked")
	for _, prompts := range []string{"none login", "none other", "x none"} {
		a = b.get(e.request(c, "prompt", prompts), "Sec-Fetch-Site", "none")
		assert.Equal(t, "invalid_request", a.location(t).Get("error"), prompts)
	}
}

// TestTransactionsStaySmall sends the requests with the largest transactions. Strangers can make
// the server store thousands of transactions.
func TestTransactionsStaySmall(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	sizes := &scale{Store: newMemory(), largest: map[string]int{}}
	e.broker = e.start(options{store: sizes})
	short := "https://app.example/cb"
	long := "https://app.example/?" + strings.Repeat("<", 2000)
	c := e.public(short, long)
	for _, change := range [][]string{
		{"prompt", strings.Repeat("a ", 6000)},
		{"prompt", strings.Repeat("login ", 2000)},
		{"state", strings.Repeat("<", 4000)},
		{"state", strings.Repeat("\"", 4000)},
		{"scope", strings.Repeat("user.read ", 1000)},
		{"scope", strings.Repeat("b ", 6000)},
		{"redirect_uri", long},
	} {
		page := e.browser().get(e.request(c, append([]string{"redirect_uri", short}, change...)...))
		assert.Equal(t, 200, page.status, "%.20s", change[1])
	}
	control := e.browser().get(e.request(c, "state", strings.Repeat("\x01", 4000), "redirect_uri", short))
	assert.Equal(t, 400, control.status)
	assert.LessOrEqual(t, sizes.largest["transaction"], 12<<10)
	assert.LessOrEqual(t, sizes.largest["client"], 8<<10)
}

func TestPromptNoneReachesEntra(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	c := e.public("https://app.example/cb")
	b := e.browser()
	e.code(c, b, "redirect_uri", "https://app.example/cb")
	a := b.get(e.request(c, "redirect_uri", "https://app.example/cb", "prompt", "none"), "Sec-Fetch-Site", "none")
	assert.Equal(t, "none", a.location(t).Get("prompt"), a.header.Get("Location"))
}
