package broker_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A browser stops at every answer, so that a test can look at it.
type browser struct {
	t *testing.T
	c *http.Client
}

func (e *env) browser() *browser {
	jar, err := cookiejar.New(nil)
	require.NoError(e.t, err)
	return &browser{e.t, &http.Client{
		Transport:     e.transport,
		Jar:           jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

type answer struct {
	status int
	header http.Header
	body   string
}

// location returns the query of the address to which an answer redirects.
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

// get loads a page. Headers lists names and values.
func (b *browser) get(address string, headers ...string) answer {
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, address, nil)
	require.NoError(b.t, err)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return b.send(r)
}

func (b *browser) head(address string) answer {
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodHead, address, nil)
	require.NoError(b.t, err)
	return b.send(r)
}

// post sends a form. Headers lists names and values.
func (b *browser) post(address string, form url.Values, headers ...string) answer {
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
	require.NoError(b.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return b.send(r)
}

var (
	hiddenInput = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]+)">`)
	formAction  = regexp.MustCompile(`<form[^>]*action="([^"]*)"`)
	buttonValue = regexp.MustCompile(`<button[^>]*name="([^"]+)"[^>]*value="([^"]+)"`)
	onward      = regexp.MustCompile(`href="([^"]+)"`)
)

// formOf returns the hidden fields of a page's form.
func formOf(body string) url.Values {
	form := url.Values{}
	for _, input := range hiddenInput.FindAllStringSubmatch(body, -1) {
		form.Set(input[1], input[2])
	}
	return form
}

func unescape(s string) string {
	return strings.NewReplacer("&amp;", "&", "&#43;", "+", "&#34;", `"`).Replace(s)
}

// linkOf returns the address of a page's first link.
func linkOf(t *testing.T, a answer) string {
	t.Helper()
	link := onward.FindStringSubmatch(a.body)
	require.NotNil(t, link, a.body)
	return unescape(link[1])
}

// offered returns the query of a page's link. The page must not redirect automatically.
func offered(t *testing.T, a answer) url.Values {
	t.Helper()
	assert.Empty(t, a.header.Get("Location"))
	assert.Empty(t, a.header.Get("Refresh"))
	assert.NotContains(t, a.body, "http-equiv")
	to, err := url.Parse(linkOf(t, a))
	require.NoError(t, err)
	return to.Query()
}

// decide presses a button of a consent page.
func (e *env) decide(b *browser, page answer, button string) answer {
	require.Equal(e.t, 200, page.status, page.body)
	form := formOf(page.body)
	require.NotEmpty(e.t, form)
	form.Set("answer", button)
	return b.post(e.origin+"/authorize/consent", form, "Origin", e.origin, "Sec-Fetch-Site", "same-origin")
}

// approve presses Approve on a consent page, and returns the address to which the browser is sent.
func (e *env) approve(b *browser, page answer) string {
	done := e.decide(b, page, "approve")
	require.Equal(e.t, 200, done.status, done.body)
	return linkOf(e.t, done)
}

// signIn goes through the fake's pages with an account, or the first one, and returns the address
// to which the fake sends the browser back.
func (e *env) signIn(b *browser, address, user string) string {
	page := b.get(address)
	for range 6 {
		if to := page.header.Get("Location"); to != "" {
			return to
		}
		action := formAction.FindStringSubmatch(page.body)
		require.NotNil(e.t, action, page.body)
		target, err := url.Parse(address)
		require.NoError(e.t, err)
		if action[1] != "" {
			target, err = target.Parse(unescape(action[1]))
			require.NoError(e.t, err)
		}
		address = target.String()
		page = b.post(address, e.filled(page.body, user), "Origin", e.fake.URL)
	}
	e.t.Fatal("no way back from the fake: " + page.body)
	return ""
}

// filled returns the form of a page of the fake with a button pressed.
func (e *env) filled(body, user string) url.Values {
	form := formOf(body)
	for _, button := range buttonValue.FindAllStringSubmatch(body, -1) {
		name := button[1]
		value := button[2]
		isAccount := name == "account" && (user == "" || strings.EqualFold(value, user))
		isOther := name != "account" && value != "cancel" && !form.Has(name)
		if isAccount || isOther {
			form.Set(name, value)
			break
		}
	}
	if strings.Contains(body, `name="password"`) {
		form.Set("password", e.fake.Tenant().Users[1].Password)
	}
	return form
}

// skips reports whether the broker sends a browser on without a consent page.
func (e *env) skips(b *browser, c registered, change ...string) bool {
	change = append([]string{"redirect_uri", appURI}, change...)
	return b.get(e.request(c, change...), "Sec-Fetch-Site", "none").status == 302
}
