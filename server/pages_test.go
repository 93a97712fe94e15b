package server_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client"
)

// TestPersonSignsIn visits all pages with a real browser: the server's consent page, the fake's
// sign-in and consent pages, the client's page. A real browser applies the rules of cookies, sites,
// content policies and forms. The fake is on another site than the server.
func TestPersonSignsIn(t *testing.T) {
	t.Parallel()
	for _, width := range []int{1280, 390} {
		t.Run(map[int]string{1280: "at a desk", 390: "on a phone"}[width], func(t *testing.T) {
			t.Parallel()
			browser := openBrowser(t, look{width: width})
			origin := startServer(t, nil)
			var consent, done, address string
			location := func(ctx context.Context, tab *chromedp.Target) (chromedp.Void, error) {
				var err error
				address, err = chromedp.Location()(ctx, tab)
				return chromedp.Void{}, err
			}
			status := call(t, origin, func(_ context.Context, page string) error {
				ctx, cancel := context.WithTimeout(browser, pageTime)
				defer cancel()
				return chromedp.Do(
					ctx,
					chromedp.Navigate(page),
					chromedp.WaitEnabled(`button[value="approve"]`),
					text("main", &consent),
					screenshot(t, "1-approve"),
					chromedp.Click(`button[value="approve"]`),
					chromedp.WaitVisible(`button[name="account"]`),
					screenshot(t, "2-sign-in"),
					chromedp.Click(`button[name="account"]`),
					chromedp.WaitVisible(`button[value="accept"]`),
					screenshot(t, "3-permissions"),
					chromedp.Click(`button[value="accept"]`),
					chromedp.WaitVisible("#callback"),
					text("#callback", &done),
					screenshot(t, "4-done"),
					location,
				)
			})
			assert.Equal(t, http.StatusOK, status)
			assert.Regexp(t, `^http://localhost:\d+/callback$`, address, "the address has no code")
			assert.Contains(t, consent, "mcp-entra-client")
			assert.Contains(t, consent, "on this computer")
			assert.Contains(t, done, "You are signed in")
		})
	}
}

// TestPersonSignsInByKeyboard uses Tab and Enter alone.
func TestPersonSignsInByKeyboard(t *testing.T) {
	t.Parallel()
	browser := openBrowser(t, look{width: 1280})
	origin := startServer(t, nil)
	status := call(t, origin, func(_ context.Context, page string) error {
		ctx, cancel := context.WithTimeout(browser, pageTime)
		defer cancel()
		return chromedp.Do(ctx,
			chromedp.Navigate(page), chromedp.WaitEnabled(`button[value="approve"]`), chromedp.KeyEvent("\t\r"),
			chromedp.WaitVisible(`button[name="account"]`), chromedp.KeyEvent("\r"),
			chromedp.WaitVisible(`button[value="accept"]`), chromedp.KeyEvent("\t\r"),
			chromedp.WaitVisible("#callback"),
		)
	})
	assert.Equal(t, http.StatusOK, status)
}

// TestDoubleClickApprovesOnce clicks Approve twice before the first answer arrives.
func TestDoubleClickApprovesOnce(t *testing.T) {
	t.Parallel()
	for _, apart := range []int{0, 60, 150} {
		t.Run(fmt.Sprintf("%d ms", apart), func(t *testing.T) {
			t.Parallel()
			browser := openBrowser(t, look{width: 1280})
			origin := startServer(t, nil)
			clicks := fmt.Sprintf(`const approve = document.querySelector('button[value="approve"]');
				approve.click(); setTimeout(() => approve.click(), %d); true`, apart)
			status := call(t, origin, func(_ context.Context, page string) error {
				ctx, cancel := context.WithTimeout(browser, pageTime)
				defer cancel()
				return chromedp.Do(ctx,
					latency(200*time.Millisecond),
					chromedp.Navigate(page), chromedp.WaitEnabled(`button[value="approve"]`), evaluate(clicks),
					chromedp.WaitVisible(`button[name="account"]`), latency(0),
					chromedp.Click(`button[name="account"]`),
					chromedp.WaitVisible(`button[value="accept"]`), chromedp.Click(`button[value="accept"]`),
					chromedp.WaitVisible("#callback"),
				)
			})
			assert.Equal(t, http.StatusOK, status)
		})
	}
}

// TestEarlyClicksDoNotCount clicks just after the page has appeared, and lets a foreign script try
// to run in it.
func TestEarlyClicksDoNotCount(t *testing.T) {
	t.Parallel()
	browser := openBrowser(t, look{width: 1280})
	origin := startServer(t, nil)
	var held, restarted, foreign bool
	status := call(t, origin, func(_ context.Context, page string) error {
		ctx, cancel := context.WithTimeout(browser, pageTime)
		defer cancel()
		return chromedp.Do(ctx,
			chromedp.Navigate(page), chromedp.WaitEnabled(`button[value="approve"]`),
			evaluated(`const early = document.querySelector('button[value="approve"]');
				dispatchEvent(new PageTransitionEvent("pageshow", {persisted: true}));
				early.click(); early.disabled`, &held),
			evaluated(`let ended = 0;
				const end = clearTimeout; clearTimeout = id => { ended = id; end(id) };
				dispatchEvent(new PageTransitionEvent("pageshow", {persisted: true}));
				ended > 0`, &restarted),
			evaluated(`const script = document.createElement("script");
				script.textContent = "document.body.dataset.foreign = 'ran'";
				document.body.append(script); "foreign" in document.body.dataset`, &foreign),
			chromedp.WaitEnabled(`button[value="approve"]`), chromedp.Click(`button[value="approve"]`),
			chromedp.WaitVisible(`button[name="account"]`), chromedp.Click(`button[name="account"]`),
			chromedp.WaitVisible(`button[value="accept"]`), chromedp.Click(`button[value="accept"]`),
			chromedp.WaitVisible("#callback"),
		)
	})
	assert.Equal(t, http.StatusOK, status)
	assert.True(t, held)
	assert.True(t, restarted, "the wait begins again, and the earlier one does not end it")
	assert.False(t, foreign)
}

// evaluated runs a script in the page, and keeps its value.
func evaluated(script string, into *bool) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, tab *chromedp.Target) (chromedp.Void, error) {
		var err error
		*into, err = chromedp.Evaluate[bool](script)(ctx, tab)
		return chromedp.Void{}, err
	}
}

// latency slows the network down.
func latency(time time.Duration) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, tab *chromedp.Target) (chromedp.Void, error) {
		slow := &network.Conditions{
			Latency:            float64(time.Milliseconds()),
			DownloadThroughput: -1,
			UploadThroughput:   -1,
		}
		params := network.EmulateNetworkConditionsByRuleParams{MatchedNetworkConditions: []*network.Conditions{slow}}
		_, err := cdp.Call(ctx, tab, network.EmulateNetworkConditionsByRule, params)
		return chromedp.Void{}, err
	}
}

// evaluate runs a script in the page.
func evaluate(script string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, tab *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Evaluate[bool](script)(ctx, tab)
		return chromedp.Void{}, err
	}
}

// TestPersonDeclines presses Deny. The page redirects to the client, although its content policy
// allows its form no other host.
func TestPersonDeclines(t *testing.T) {
	t.Parallel()
	browser := openBrowser(t, look{width: 1280})
	origin := startServer(t, nil)
	transport, err := client.New(client.Config{
		Server: origin + "/mcp",
		Browser: func(_ context.Context, page string) error {
			ctx, cancel := context.WithTimeout(browser, pageTime)
			defer cancel()
			return chromedp.Do(
				ctx,
				chromedp.Navigate(page),
				chromedp.WaitEnabled(`button[value="deny"]`),
				chromedp.Click(`button[value="deny"]`),
				chromedp.WaitVisible("#callback"),
			)
		},
	})
	require.NoError(t, err)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, origin+"/mcp", nil)
	require.NoError(t, err)
	_, err = transport.RoundTrip(request)
	assert.ErrorContains(t, err, "access_denied")
}

// text reads the visible text of an element.
func text(selector string, into *string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, tab *chromedp.Target) (chromedp.Void, error) {
		var err error
		*into, err = chromedp.Text(selector)(ctx, tab)
		return chromedp.Void{}, err
	}
}

// call calls a tool after a sign-in with the browser and returns the status.
func call(t *testing.T, origin string, browser func(context.Context, string) error) int {
	t.Helper()
	closed := make(chan error, 1)
	transport, err := client.New(client.Config{
		Server: origin + "/mcp",
		Browser: func(ctx context.Context, page string) error {
			err := browser(ctx, page)
			closed <- err
			return err
		},
	})
	require.NoError(t, err)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, origin+"/mcp",
		strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_user_name"}}`))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json, text/event-stream")
	request.Header.Set("Mcp-Protocol-Version", "2025-06-18")
	response, err := transport.RoundTrip(request)
	require.NoError(t, err)
	defer response.Body.Close()
	require.NoError(t, <-closed) // the sign-in continues while the person still reads
	return response.StatusCode
}
