package server_test

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"mcpentra/fakeentra/useragent/chromium"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(withBrowser{m}) }

// withBrowser ends the browser after the tests.
type withBrowser struct{ tests *testing.M }

func (m withBrowser) Run() int {
	defer shared.end()
	return m.tests.Run()
}

// shared is the browser of all tests. To start one takes a second of the processor's time.
var shared sharedBrowser

type sharedBrowser struct {
	start   sync.Once
	context context.Context
	err     error
	stop    context.CancelFunc
}

func (s *sharedBrowser) get() (context.Context, error) {
	s.start.Do(func() { s.context, s.stop, s.err = chromium.Start(context.Background(), chromium.Config{}) })
	return s.context, s.err
}

func (s *sharedBrowser) end() {
	if s.stop != nil {
		s.stop()
	}
}

// pageTime is longer than a person's way through all pages takes on a busy machine.
const pageTime = 3 * time.Minute

// A look is the width of a window in CSS pixels, and its colors.
type look struct {
	width int
	dark  bool
}

// looks returns what pages are tried with, by name. The short form has one of each width and one of
// each color.
func looks() map[string]look {
	all := map[string]look{
		"at a desk":              {1280, false},
		"on a phone in the dark": {390, true},
	}
	if isFullMatrix() {
		all["at a desk in the dark"] = look{1280, true}
		all["on a phone"] = look{390, false}
	}
	return all
}

// openBrowser opens a tab with a profile of its own. If Chromium is not installed, it skips the
// test, or fails in CI.
func openBrowser(t *testing.T, look look) context.Context {
	t.Helper()
	browser, err := shared.get()
	if errors.Is(err, chromium.ErrNotInstalled) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	require.NoError(t, err)
	tab, closeTab := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(closeTab)
	require.NoError(t, chromedp.Do(tab,
		chromedp.EmulateViewport(int64(look.width), 900), focused, colors(look.dark)))
	return tab
}

// focused gives the page the keyboard, although other tests have tabs in the same browser.
func focused(ctx context.Context, tab *chromedp.Target) (chromedp.Void, error) {
	_, err := cdp.Call(ctx, tab, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{
		Enabled: true,
	})
	return chromedp.Void{}, err
}

// colors sets the person's preference for dark pages or light ones.
func colors(dark bool) chromedp.Action[chromedp.Void] {
	preferred := &emulation.MediaFeature{Name: "prefers-color-scheme", Value: "light"}
	if dark {
		preferred.Value = "dark"
	}
	return func(ctx context.Context, tab *chromedp.Target) (chromedp.Void, error) {
		params := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{preferred}}
		_, err := cdp.Call(ctx, tab, emulation.SetEmulatedMedia, params)
		return chromedp.Void{}, err
	}
}
