package server_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

// A deviceClient is a program that has asked for a device code.
type deviceClient struct {
	t      *testing.T
	origin string
	id     string
	code   string
	user   string
	page   string
}

// newDeviceClient registers a program and asks for a device code.
func newDeviceClient(t *testing.T, origin string) *deviceClient {
	t.Helper()
	c := &deviceClient{t: t, origin: origin}
	registration := `{"client_name":"Build server","token_endpoint_auth_method":"none",` +
		`"grant_types":["` + deviceGrant + `"]}`
	response, err := http.Post(origin+"/register", "application/json", strings.NewReader(registration))
	require.NoError(t, err)
	c.id = c.read(response)["client_id"].(string)
	response, err = http.PostForm(origin+"/device_authorization", url.Values{"client_id": {c.id}})
	require.NoError(t, err)
	told := c.read(response)
	c.code = told["device_code"].(string)
	c.user = told["user_code"].(string)
	c.page = told["verification_uri"].(string)
	return c
}

func (c *deviceClient) read(response *http.Response) map[string]any {
	c.t.Helper()
	defer response.Body.Close()
	var answer map[string]any
	require.NoError(c.t, json.NewDecoder(response.Body).Decode(&answer))
	return answer
}

// poll returns the error of a poll, or "" if it brings a token.
func (c *deviceClient) poll() string {
	c.t.Helper()
	response, err := http.PostForm(c.origin+"/token",
		url.Values{"grant_type": {deviceGrant}, "client_id": {c.id}, "device_code": {c.code}})
	require.NoError(c.t, err)
	answer := c.read(response)
	problem, _ := answer["error"].(string)
	if problem == "" {
		assert.NotEmpty(c.t, answer["access_token"])
	}
	return problem
}

// withoutScripts switches off the scripts of pages.
func withoutScripts(ctx context.Context, tab *chromedp.Target) (chromedp.Void, error) {
	params := emulation.SetScriptExecutionDisabledParams{Value: true}
	_, err := cdp.Call(ctx, tab, emulation.SetScriptExecutionDisabled, params)
	return chromedp.Void{}, err
}

// TestPersonApprovesDevice types a wrong code and the right one, approves and signs in, in a
// browser that runs no scripts. The fake is on another site than the server.
func TestPersonApprovesDevice(t *testing.T) {
	t.Parallel()
	for name, look := range looks() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			browser := openBrowser(t, look)
			c := newDeviceClient(t, startServer(t, nil))
			ctx, cancel := context.WithTimeout(browser, pageTime)
			defer cancel()
			var wrong, consent, done string
			require.NoError(t, chromedp.Do(ctx,
				withoutScripts,
				chromedp.Navigate(c.page), chromedp.WaitVisible("#user_code"), screenshot(t, "1-code"),
				chromedp.SendKeys("#user_code", "bbbb bbbb bbbb\r"),
				chromedp.WaitVisible(`[role="alert"]`), text("main", &wrong),
				screenshot(t, "2-wrong"),
				chromedp.SendKeys("#user_code", strings.ToLower(c.user)), chromedp.Click("form button"),
				chromedp.WaitEnabled(`button[value="approve"]`), text("main", &consent),
				screenshot(t, "3-approve"),
				chromedp.Click(`button[value="approve"]`),
				chromedp.WaitVisible(`button[name="account"]`), chromedp.Click(`button[name="account"]`),
				chromedp.WaitVisible(`button[value="accept"]`), chromedp.Click(`button[value="accept"]`),
				chromedp.WaitVisible("p.end"), text("main", &done), screenshot(t, "4-done"),
			))
			assert.Contains(t, wrong, "This code is unknown")
			assert.Contains(t, consent, "“Build server” wants access on your behalf")
			assert.Contains(t, consent, "yourself, on a device of yours")
			assert.Contains(t, done, "The program has access")
			assert.Empty(t, c.poll())
		})
	}
}

func TestPersonDeclinesDevice(t *testing.T) {
	t.Parallel()
	browser := openBrowser(t, look{width: 1280})
	c := newDeviceClient(t, startServer(t, nil))
	ctx, cancel := context.WithTimeout(browser, pageTime)
	defer cancel()
	var done string
	require.NoError(t, chromedp.Do(ctx,
		chromedp.Navigate(c.page+"?user_code="+url.QueryEscape(c.user)), chromedp.WaitVisible("#user_code"),
		chromedp.SendKeys("#user_code", c.user+"\r"),
		chromedp.WaitEnabled(`button[value="deny"]`), chromedp.Click(`button[value="deny"]`),
		chromedp.WaitVisible("p.end"), text("main", &done),
	))
	assert.Contains(t, done, "You declined")
	assert.Equal(t, "access_denied", c.poll())
}

// TestDevicePageResistsOtherSites opens a page of another site that sends a user code to the device
// page.
func TestDevicePageResistsOtherSites(t *testing.T) {
	t.Parallel()
	browser := openBrowser(t, look{width: 1280})
	c := newDeviceClient(t, startServer(t, nil))
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(`<form method="post" action="` + c.page + `">` +
			`<input name="user_code" value="` + c.user + `">` +
			`<button id="send">Send</button></form>`))
	}))
	t.Cleanup(site.Close)
	ctx, cancel := context.WithTimeout(browser, pageTime)
	defer cancel()
	var answer string
	require.NoError(t, chromedp.Do(ctx,
		chromedp.Navigate(site.URL), chromedp.WaitVisible("#send"),
		chromedp.Click("#send"), chromedp.WaitVisible("main > h1"), text("main", &answer),
	))
	assert.Contains(t, answer, "does not count")
	assert.Equal(t, "authorization_pending", c.poll())
}
