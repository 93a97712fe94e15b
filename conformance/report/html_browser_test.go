package report_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/report"
	"mcpentra/fakeentra/useragent/chromium"
)

// A look is the width of a window in CSS pixels, and its colors.
type look struct {
	name  string
	width int
	dark  bool
}

// looks returns what pages are tried with. The short form has one of each width and of each color.
func looks() []look {
	all := allLooks()
	if os.Getenv("CONFORMANCE") != "full" {
		all = all[:2]
	}
	return all
}

func allLooks() []look {
	return []look{
		{"at a desk", 1280, false},
		{"on a phone in the dark", 360, true},
		{"at a desk in the dark", 1280, true},
		{"on a phone", 360, false},
	}
}

// startBrowser starts a browser for the subtests of a test. If Chromium is not installed, it skips
// the test, or fails in CI.
func startBrowser(t *testing.T) context.Context {
	t.Helper()
	browser, stop, err := chromium.Start(context.Background(), chromium.Config{})
	if errors.Is(err, chromium.ErrNotInstalled) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(stop)
	return browser
}

// A tab shows one page, and keeps what the page asks for and complains about.
type tab struct {
	t    *testing.T
	ctx  context.Context
	file string

	mu       sync.Mutex
	troubles []string
}

// openTab opens a tab for the page of a document. Nothing is loaded yet.
func openTab(t *testing.T, browser context.Context, document *report.Document, look look) *tab {
	t.Helper()
	ctx, closeTab := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(closeTab)
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	opened := &tab{t: t, ctx: ctx, file: "file://" + pageFile(t, document)}
	opened.do(chromedp.EmulateViewport(int64(look.width), 900), prepare(look.dark))
	require.NoError(t, chromedp.Listen(ctx, opened.note))
	return opened
}

// prepare gives a tab the keyboard, although other tests have tabs in the same browser, and sets
// the colors that the person prefers.
func prepare(dark bool) chromedp.Action[chromedp.Void] {
	preferred := &emulation.MediaFeature{Name: "prefers-color-scheme", Value: "light"}
	if dark {
		preferred.Value = "dark"
	}
	return func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		focus := emulation.SetFocusEmulationEnabledParams{Enabled: true}
		if _, err := cdp.Call(ctx, target, emulation.SetFocusEmulationEnabled, focus); err != nil {
			return chromedp.Void{}, err
		}
		media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{preferred}}
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, media)
		return chromedp.Void{}, err
	}
}

// note keeps messages in the console, violations of the policy, and requests for anything but the
// page.
func (b *tab) note(event any) {
	trouble := ""
	switch event := event.(type) {
	case *log.EventEntryAdded:
		trouble = "log: " + event.Entry.Text
	case *runtime.EventExceptionThrown:
		trouble = "exception: " + event.ExceptionDetails.Text
	case *runtime.EventConsoleAPICalled:
		trouble = "console: " + string(event.Type)
	case *network.EventRequestWillBeSent:
		if event.Request.URL != b.file && !strings.HasPrefix(event.Request.URL, "data:,") {
			trouble = "request: " + event.Request.URL
		}
	}
	if trouble != "" {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.troubles = append(b.troubles, trouble)
	}
}

func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	require.NoError(b.t, chromedp.Do(b.ctx, actions...))
}

// visit loads the page with a fragment.
func (b *tab) visit(fragment string) {
	b.t.Helper()
	b.do(chromedp.Navigate("about:blank"), chromedp.Navigate(b.file+fragment))
}

// evaluate runs a script that looks at the page.
func (b *tab) evaluate(script string, into any) {
	b.t.Helper()
	text, err := b.run("JSON.stringify(" + script + ")")
	require.NoError(b.t, err)
	require.NoError(b.t, json.Unmarshal([]byte(text), into), text)
}

// pause is the time between two looks at a page.
const pause = 50 * time.Millisecond

// run runs a script and returns its text. On a busy machine, the browser may still tell of the page
// before. Its scripts have no context any more, so run tries again.
func (b *tab) run(script string) (string, error) {
	again := time.NewTicker(pause)
	defer again.Stop()
	for {
		text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](script))
		if err == nil || !strings.Contains(err.Error(), "Cannot find context") {
			return text, err
		}
		select {
		case <-again.C:
		case <-b.ctx.Done():
			return "", err
		}
	}
}

// wait waits until a condition holds in the page.
func (b *tab) wait(condition string) {
	b.t.Helper()
	again := time.NewTicker(pause)
	defer again.Stop()
	state := ""
	for {
		text, err := b.run("String(Boolean(" + condition + "))")
		if err == nil && text == "true" {
			return
		}
		if err == nil {
			state, err = b.run(`location.hash + " " + document.getElementById("page_hits")?.textContent`)
		}
		select {
		case <-again.C:
		case <-b.ctx.Done():
			b.t.Fatalf("%s does not become true: %v (%s)", condition, err, state)
		}
	}
}

// quiet wants no troubles so far.
func (b *tab) quiet() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	assert.Empty(b.t, b.troubles)
}

// keep writes a picture of the window where PAGES says, for a person to look at.
func (b *tab) keep(name string) {
	folder := os.Getenv("PAGES")
	if folder == "" {
		return
	}
	picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	require.NoError(b.t, err)
	require.NoError(b.t, os.WriteFile(filepath.Join(folder, strings.ReplaceAll(name, " ", "-")+".png"), picture, 0o600))
}

// TestPageFitsWindow shows all kinds of runs at all looks, first as they are and then with every
// check open. Nothing is wider than the window (WCAG 2.2, criterion 1.4.10).
func TestPageFitsWindow(t *testing.T) {
	t.Parallel()
	browser := startBrowser(t)
	for name, document := range pages() {
		for _, look := range looks() {
			t.Run(name+" "+look.name, func(t *testing.T) {
				t.Parallel()
				b := openTab(t, browser, document, look)
				b.visit("")
				b.fits(look)
				b.keep(name + " " + look.name)
				b.do(chromedp.Click("#page_open"))
				b.wait(`document.getElementById("page_open").textContent === "Close all"`)
				b.fits(look)
				b.do(chromedp.ScrollIntoView(".list"))
				b.keep(name + " " + look.name + " open")
				b.quiet()
			})
		}
	}
}

// fits looks at the size, the colors and the labels of the page.
func (b *tab) fits(look look) {
	b.t.Helper()
	var got struct {
		Wide       int
		Dark       bool
		Out        []string
		Unlabelled int
		Small      int
	}
	b.evaluate(`({
		wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
		dark: matchMedia("(prefers-color-scheme: dark)").matches &&
			getComputedStyle(document.body).backgroundColor.match(/\d+/g).slice(0, 3).every(part => part < 64),
		out: [...document.querySelectorAll("main *")]
			.filter(e => e.checkVisibility() && !e.closest(".unseen, thead") &&
				e.getBoundingClientRect().right > innerWidth + 1)
			.slice(0, 5).map(e => e.tagName + " " + e.className.slice(0, 20) + " " + e.textContent.slice(0, 40)),
		unlabelled: [...document.querySelectorAll("input, select")].filter(e => e.labels.length === 0).length,
		small: [...document.querySelectorAll("button, input:not([type=checkbox]), select, .rule > summary")]
			.filter(e => e.checkVisibility() && e.getBoundingClientRect().height < 24).length,
	})`, &got)
	assert.LessOrEqual(b.t, got.Wide, 0, "scrolls sideways")
	assert.Empty(b.t, got.Out, "wider than the window")
	assert.Equal(b.t, look.dark, got.Dark)
	assert.Zero(b.t, got.Unlabelled)
	assert.Zero(b.t, got.Small, "too small to hit")
}
