package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A pageClient is a public client on loopback. Its callback keeps the codes that come.
type pageClient struct {
	t        *testing.T
	origin   string // of the server
	id       string
	callback string
	codes    chan string
}

// newPageClient registers a client at a server.
func newPageClient(t *testing.T, origin string) *pageClient {
	t.Helper()
	c := &pageClient{t: t, origin: origin, codes: make(chan string, 10)}
	listening := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		if code := r.FormValue("code"); code != "" {
			c.codes <- code
			_, _ = io.WriteString(w, `<p id="arrived">Arrived</p>`)
		}
	}))
	t.Cleanup(listening.Close)
	c.callback = listening.URL + "/callback"
	metadata := fmt.Sprintf(
		`{"client_name":"Notes","redirect_uris":[%q],"token_endpoint_auth_method":"none"}`, c.callback)
	c.id = c.post("/register", "application/json", metadata)["client_id"].(string)
	return c
}

// post sends a body to the server, and returns the members of the answer.
func (c *pageClient) post(path, contentType, body string) map[string]any {
	c.t.Helper()
	response, err := http.Post(c.origin+path, contentType, strings.NewReader(body))
	require.NoError(c.t, err)
	defer response.Body.Close()
	var members map[string]any
	require.NoError(c.t, json.NewDecoder(response.Body).Decode(&members))
	return members
}

// page returns the address of an authorization request.
func (c *pageClient) page() string {
	return c.origin + "/authorize?" + url.Values{
		"response_type":         {"code"},
		"client_id":             {c.id},
		"redirect_uri":          {c.callback},
		"state":                 {"st"},
		"resource":              {c.origin + "/mcp"},
		"code_challenge":        {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, // RFC 7636 appendix B
		"code_challenge_method": {"S256"},
	}.Encode()
}

// redeem redeems the next code that came, and reports whether it brings a token.
func (c *pageClient) redeem() bool {
	c.t.Helper()
	form := url.Values{
		"grant_type":    {"authorization_code"},
		"client_id":     {c.id},
		"code":          {<-c.codes},
		"redirect_uri":  {c.callback},
		"code_verifier": {"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"},
	}
	answer := c.post("/token", "application/x-www-form-urlencoded", form.Encode())
	return answer["access_token"] != nil
}

const (
	approveButton = `button[value="approve"]`
	accountButton = `button[name="account"]`
	acceptButton  = `button[value="accept"]`
)

// TestPersonGoesBackAndForth reloads the pages, goes back to them, and begins the same sign-in in a
// second tab, which runs no scripts. Both tabs get to the client.
func TestPersonGoesBackAndForth(t *testing.T) {
	t.Parallel()
	browser := openBrowser(t, look{width: 1280})
	c := newPageClient(t, startServer(t, nil))
	first, cancel := context.WithTimeout(browser, pageTime)
	defer cancel()
	tab, closeTab := chromedp.NewContext(browser)
	defer closeTab()
	require.NoError(t, chromedp.Do(tab, focused)) // a context with a deadline would close the tab
	second, cancel := context.WithTimeout(tab, pageTime)
	defer cancel()
	approve := func(ctx context.Context) {
		t.Helper()
		require.NoError(t, chromedp.Do(ctx,
			chromedp.WaitEnabled(approveButton), chromedp.Click(approveButton), chromedp.WaitVisible(accountButton)))
	}
	finish := func(ctx context.Context) {
		t.Helper()
		require.NoError(t, chromedp.Do(ctx,
			chromedp.Click(accountButton),
			chromedp.WaitVisible(acceptButton), chromedp.Click(acceptButton),
			chromedp.WaitVisible("#arrived")))
		assert.True(t, c.redeem())
	}

	require.NoError(t, chromedp.Do(first, chromedp.Navigate(c.page()), chromedp.Reload()))
	approve(first)
	require.NoError(t, chromedp.Do(first, chromedp.NavigateBack()))
	approve(first)
	require.NoError(t, chromedp.Do(first, chromedp.Reload(), chromedp.WaitVisible(accountButton)))

	require.NoError(t, chromedp.Do(second, withoutScripts, chromedp.Navigate(c.page())))
	approve(second)
	finish(second)
	require.NoError(t, chromedp.Do(first,
		chromedp.Click(accountButton), chromedp.WaitVisible("#arrived")))
	assert.True(t, c.redeem())

	var late string
	require.NoError(t, chromedp.Do(first, chromedp.NavigateBack(), text("main", &late)))
	assert.Contains(t, late, "This sign-in is complete", "Entra sends the browser back at once")
}

// TestPagesRefuseFrames opens a page of another site that frames the server's pages, and a page
// that allows it.
func TestPagesRefuseFrames(t *testing.T) {
	t.Parallel()
	browser := openBrowser(t, look{width: 1280})
	c := newPageClient(t, startServer(t, nil))
	var framed []string
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		if r.URL.Path == "/allowed" {
			return
		}
		for _, address := range framed {
			_, _ = fmt.Fprintf(w, `<iframe src="%s"></iframe>`, html.EscapeString(address))
		}
	}))
	t.Cleanup(site.Close)
	allowed := localhostOf(site) + "/allowed"
	framed = []string{c.page(), c.origin + "/device", c.origin + "/connections", allowed}
	ctx, cancel := context.WithTimeout(browser, pageTime)
	defer cancel()
	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(site.URL)))
	targets, err := chromedp.Targets(ctx)
	require.NoError(t, err)
	shown := map[string]string{} // the document of each frame
	for _, target := range targets {
		if target.Type != "iframe" || !slices.Contains(framed, target.URL) {
			continue
		}
		frame, closeFrame := chromedp.NewContext(ctx, chromedp.WithTargetID(target.TargetID))
		defer closeFrame()
		shown[target.URL], err = chromedp.Run(frame, chromedp.Location())
		require.NoError(t, err)
	}
	const refused = "chrome-error://chromewebdata/"
	expected := map[string]string{framed[0]: refused, framed[1]: refused, framed[2]: refused, allowed: allowed}
	assert.Equal(t, expected, shown)
}
