package server_test

import (
	"context"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
)

// TestPersonDisconnects looks at the connected programs with a real browser, and disconnects one.
func TestPersonDisconnects(t *testing.T) {
	t.Parallel()
	for name, look := range looks() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			browser := openBrowser(t, look)
			origin := startServer(t, nil)
			var before, after, signedOut string
			status := call(t, origin, func(_ context.Context, page string) error {
				ctx, cancel := context.WithTimeout(browser, pageTime)
				defer cancel()
				return chromedp.Do(ctx,
					chromedp.Navigate(origin+"/connections"),
					text("main", &signedOut),
					screenshot(t, "1-signed-out"),
					chromedp.Navigate(page),
					chromedp.WaitEnabled(`button[value="approve"]`), chromedp.Click(`button[value="approve"]`),
					chromedp.WaitVisible(`button[name="account"]`), chromedp.Click(`button[name="account"]`),
					chromedp.WaitVisible(`button[value="accept"]`), chromedp.Click(`button[value="accept"]`),
					chromedp.WaitVisible("#callback"),
				)
			})
			assert.Equal(t, http.StatusOK, status)
			ctx, cancel := context.WithTimeout(browser, pageTime)
			defer cancel()
			err := chromedp.Do(ctx,
				chromedp.Navigate(origin+"/connections"),
				chromedp.WaitVisible(`button[value="all"]`),
				text("main", &before),
				screenshot(t, "2-connections"),
				chromedp.Click("section > form > button"),
				chromedp.WaitVisible("p.empty"),
				text("main", &after),
				screenshot(t, "3-disconnected"),
			)
			assert.NoError(t, err)
			assert.Contains(t, signedOut, "Sign in to see")
			assert.Contains(t, before, "mcp-entra-client")
			assert.Contains(t, before, "read your name and profile")
			assert.Contains(t, after, "No program acts for you")
		})
	}
}

// TestPersonSignsInForConnections begins at the page, without a client.
func TestPersonSignsInForConnections(t *testing.T) {
	t.Parallel()
	browser := openBrowser(t, look{width: 1280})
	origin := startServer(t, nil)
	ctx, cancel := context.WithTimeout(browser, pageTime)
	defer cancel()
	var shown string
	err := chromedp.Do(ctx,
		chromedp.Navigate(origin+"/connections"),
		chromedp.WaitVisible("main > form button"), chromedp.Click("main > form button"),
		chromedp.WaitVisible(`button[name="account"]`), chromedp.Click(`button[name="account"]`),
		chromedp.WaitVisible(`button[value="accept"]`), chromedp.Click(`button[value="accept"]`),
		chromedp.WaitVisible("p.empty"),
		text("main", &shown),
	)
	assert.NoError(t, err)
	assert.Contains(t, shown, "No program acts for you")
}

// screenshot keeps a picture of the whole page among the test's artifacts, if go test keeps those
// (-artifacts). A picture costs more of the processor's time than the page.
func screenshot(t *testing.T, name string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, tab *chromedp.Target) (chromedp.Void, error) {
		if kept := flag.Lookup("test.artifacts"); kept == nil || kept.Value.String() != "true" {
			return chromedp.Void{}, nil
		}
		picture, err := chromedp.FullScreenshot(100)(ctx, tab)
		if err != nil {
			return chromedp.Void{}, err
		}
		return chromedp.Void{}, os.WriteFile(filepath.Join(t.ArtifactDir(), name+".png"), picture, 0o644)
	}
}
