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

// A Config selects the kind of browser. Its zero value is a desktop.
type Config struct {
	// Width and Height are the size of the viewport in CSS pixels. Zero means 1280 by 900.
	Width  int
	Height int
	// TrustAnyCertificate accepts https addresses with any certificate, such as a fake's.
	TrustAnyCertificate bool
	// Dark sets the preference for dark pages (prefers-color-scheme).
	Dark bool
}

// Start starts a browser with a new profile, and returns a context for chromedp.Do. The function
// that it returns ends the browser, and so does the end of ctx. The error is ErrNotInstalled if the
// machine has no browser.
func Start(ctx context.Context, config Config) (context.Context, context.CancelFunc, error) {
	program := findProgram()
	if program == "" {
		return nil, nil, ErrNotInstalled
	}
	if config.Width == 0 {
		config.Width = 1280
	}
	if config.Height == 0 {
		config.Height = 900
	}
	// Profile, sockets, crash reports and settings go to a temporary folder instead of the home of
	// the person who runs the test.
	home, err := os.MkdirTemp("", "chromium-home-")
	if err != nil {
		return nil, nil, fmt.Errorf("chromium: %w", err)
	}
	allocator, cancelAllocator := chromedp.NewExecAllocator(ctx, options(program, home, config)...)
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

func findProgram() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			return found
		}
	}
	return ""
}

func options(program, home string, config Config) []chromedp.ExecAllocatorOption {
	colors := "preferredColorScheme=1"
	if config.Dark {
		colors = "preferredColorScheme=0"
	}
	all := append(
		chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program),
		chromedp.Env(
			"HOME="+home,
			"XDG_CONFIG_HOME="+home,
			"XDG_CACHE_HOME="+home,
			"XDG_RUNTIME_DIR="+home,
			"TMPDIR="+home,
		),
		chromedp.NoSandbox,
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.WindowSize(config.Width, config.Height),
		chromedp.Flag("blink-settings", colors),
	)
	if config.TrustAnyCertificate {
		all = append(all, chromedp.Flag("ignore-certificate-errors", true))
	}
	return all
}
