package chromium

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/chromedp/chromedp"
)

// ErrNotInstalled says that this machine has no Chromium and no Chrome.
var ErrNotInstalled = errors.New("chromium: neither chromium, chromium-browser nor google-chrome is on the PATH")

// A Config says what kind of browser is started. Its zero value is a desktop.
type Config struct {
	// Width and Height are of the viewport in CSS pixels. Zero means 1280 by 900.
	Width, Height int
	// TrustAnyCertificate lets it open https addresses whose certificate nobody vouches for, such
	// as a fake's.
	TrustAnyCertificate bool
	// Dark tells pages that the person prefers dark ones (prefers-color-scheme).
	Dark bool
}

// Start starts a browser with a profile of its own and returns a context for chromedp.Do. The
// browser ends with the function that is returned, or with ctx. ErrNotInstalled says that there is
// none.
func Start(ctx context.Context, config Config) (context.Context, context.CancelFunc, error) {
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			program = found
			break
		}
	}
	if program == "" {
		return nil, nil, ErrNotInstalled
	}
	if config.Width == 0 {
		config.Width = 1280
	}
	if config.Height == 0 {
		config.Height = 900
	}
	// Profile, sockets, crash reports and settings go where they can be thrown away, not into the
	// home of whoever runs a test.
	home, err := os.MkdirTemp("", "chromium-home-")
	if err != nil {
		return nil, nil, fmt.Errorf("chromium: %w", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program),
		chromedp.Env(
			"HOME="+home,
			"XDG_CONFIG_HOME="+home,
			"XDG_CACHE_HOME="+home,
			"XDG_RUNTIME_DIR="+home,
			"TMPDIR="+home,
		), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag(
			"disable-quic",
			true,
		), chromedp.Flag("disable-component-update", true), chromedp.WindowSize(config.Width, config.Height))
	scheme := "preferredColorScheme=1"
	if config.Dark {
		scheme = "preferredColorScheme=0"
	}
	options = append(options, chromedp.Flag("blink-settings", scheme))
	if config.TrustAnyCertificate {
		options = append(options, chromedp.Flag("ignore-certificate-errors", true))
	}
	allocator, cancelAllocator := chromedp.NewExecAllocator(ctx, options...)
	browser, cancelBrowser := chromedp.NewContext(allocator)
	cancel := func() {
		cancelBrowser()
		cancelAllocator()
		_ = os.RemoveAll(home)
	}
	if err := chromedp.Do(browser, chromedp.EmulateViewport(int64(config.Width), int64(config.Height))); err != nil {
		cancel()
		return nil, nil, fmt.Errorf("chromium: %w", err)
	}
	return browser, cancel, nil
}
