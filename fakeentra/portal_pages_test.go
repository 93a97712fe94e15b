package fakeentra_test

import (
	"os"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/portal"
	"mcpentra/fakeentra/useragent/chromium"
)

// The pages for people, on a desktop and on a phone, light and dark. For pictures, all four
// combinations run.
func TestPortalPages(t *testing.T) {
	t.Parallel()
	type screen struct {
		device string
		config chromium.Config
	}
	screens := []screen{
		{"portal-desktop", chromium.Config{}},
		{"portal-phone-dark", chromium.Config{Width: 360, Height: 740, Dark: true}},
	}
	if os.Getenv("PAGES") != "" {
		screens = append(
			screens,
			screen{"portal-desktop-dark", chromium.Config{Dark: true}},
			screen{"portal-phone", chromium.Config{Width: 360, Height: 740}},
		)
	}
	for _, test := range screens {
		t.Run(test.device, func(t *testing.T) {
			t.Parallel()
			b := newTab(t, test.device, test.config)
			b.styled = true
			fake := fakeentra.NewServer(fakeentra.Config{Portal: portal.Handler})
			defer fake.Close()
			visitPortal(b, fake)
		})
	}
}

func visitPortal(b *tab, fake *fakeentra.Server) {
	b.do(chromedp.Navigate(fake.URL + "/"))
	b.page("A fake of Microsoft Entra ID")
	b.do(chromedp.Click(`button[aria-label="Sign in as Alex Wilber"]`))
	b.do(chromedp.WaitVisible("li.current .good"))
	b.page("A fake of Microsoft Entra ID")

	b.do(chromedp.Click(`nav a[href="/portal/tokens"]`))
	b.page("Tokens")
	b.do(chromedp.Click(`form[action="/portal/tokens"] button:not(.other)`), chromedp.WaitVisible(".verdict.good"))
	b.page("Tokens")
	b.do(chromedp.Click(`button[formaction="/portal/tokens/bad"]`))
	b.do(chromedp.WaitVisible(`button[aria-label="Decode wrong-audience"]`))
	b.page("Tokens")
	b.do(chromedp.Click(`button[aria-label="Decode wrong-audience"]`), chromedp.WaitVisible(".verdict.bad"))
	b.page("Tokens")

	b.do(chromedp.Click(`nav a[href="/portal/journal"]`))
	b.page("Journal")
	// The page shows a request that comes now, without a reload.
	b.do(chromedp.WaitVisible("p.empty"))
	answer, err := fake.Client().Get(fake.URL + "/none/oauth2/v2.0/authorize")
	require.NoError(b.t, err)
	require.NoError(b.t, answer.Body.Close())
	b.do(chromedp.WaitVisible("#rows li summary"), chromedp.Click("#rows li summary"))
	b.do(chromedp.WaitVisible("#rows li pre"))
	b.page("Journal")

	b.do(chromedp.Click(`nav a[href="/portal/faults"]`))
	b.page("Faults")
	b.do(chromedp.Click(`button[aria-label="Turn keys away on"]`), chromedp.WaitVisible("li.current .bad"))
	b.page("Faults")

	b.do(chromedp.Click(`nav a[href="/portal/clock"]`))
	b.page("Clock and keys")
	b.do(chromedp.Click("#advance"))
	b.press("soon\r")
	b.do(chromedp.WaitVisible("#problem"))
	b.page("Clock and keys")
	assert.Contains(b.t, b.alert(), "want a duration")
}
