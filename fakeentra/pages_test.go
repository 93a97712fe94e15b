package fakeentra_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/useragent/chromium"
)

// A tab is a page in a real browser, which the test drives by keyboard alone.
type tab struct {
	t       *testing.T
	context context.Context
	device  string
	dark    bool
	styled  bool // the pages have files of their own for style and script
	pages   int
}

// faintTexts are the texts whose contrast is less than 4.5 to 1 (WCAG 2.2, criterion 1.4.3).
const faintTexts = `(() => {
	const light = text => {
		const part = text.match(/[\d.]+/g).slice(0, 3).map(Number).map(v => v / 255)
			.map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
		return 0.2126 * part[0] + 0.7152 * part[1] + 0.0722 * part[2];
	};
	const ground = e => {
		for (; e; e = e.parentElement) {
			const color = getComputedStyle(e).backgroundColor;
			if (color !== "rgba(0, 0, 0, 0)") return color;
		}
		return "rgb(255, 255, 255)";
	};
	return [...document.querySelectorAll("body *")]
		.filter(e => e.matches("input:not([type=hidden])") ||
			[...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) &&
			e.checkVisibility() && !e.matches("script, style"))
		.filter(e => {
			const two = [light(getComputedStyle(e).color), light(ground(e))].sort((a, b) => b - a);
			return (two[0] + 0.05) / (two[1] + 0.05) < 4.5;
		}).map(e => e.tagName + " " + e.className + " " + e.textContent.trim().slice(0, 40));
})()`

// newTab starts a browser. Without one the test is skipped; in CI that is a failure.
func newTab(t *testing.T, device string, config chromium.Config) *tab {
	t.Helper()
	browser, stop, err := chromium.Start(t.Context(), config)
	if errors.Is(err, chromium.ErrNotInstalled) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(stop)
	ctx, cancel := context.WithTimeout(browser, time.Minute)
	t.Cleanup(cancel)
	return &tab{t: t, context: ctx, device: device, dark: config.Dark}
}

func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	require.NoError(b.t, chromedp.Do(b.context, actions...))
}

// evaluate runs a script that looks at the page.
func (b *tab) evaluate(script string, into any) {
	b.t.Helper()
	text, err := chromedp.Run(b.context, chromedp.Evaluate[string]("JSON.stringify("+script+")"))
	require.NoError(b.t, err)
	require.NoError(b.t, json.Unmarshal([]byte(text), into), text)
}

func (b *tab) press(keys string) {
	b.t.Helper()
	b.do(chromedp.KeyEvent(keys))
}

// focused is what the keyboard is at, by its text, value or name.
func (b *tab) focused() string {
	b.t.Helper()
	var got string
	b.evaluate(
		`(document.activeElement.innerText || document.activeElement.id || document.activeElement.tagName)`,
		&got,
	)
	first, _, _ := strings.Cut(got, "\n")
	return first
}

// to presses Tab until the keyboard is at something.
func (b *tab) to(name string) {
	b.t.Helper()
	for range 20 {
		if b.focused() == name {
			return
		}
		b.press(kb.Tab)
	}
	b.t.Fatalf("the keyboard does not get to %q; it is at %q", name, b.focused())
}

// page waits for a page by its heading, and looks at what all pages have in common: the mark, a
// language, a title, one main part with one heading, a label for every field, nothing from
// elsewhere, and no need to scroll sideways.
func (b *tab) page(heading string) {
	b.t.Helper()
	b.do(chromedp.WaitVisible(fmt.Sprintf(`//h1[contains(., %q)]`, heading)))
	// The page is seen a moment before the keyboard is where the page puts it.
	_, err := chromedp.Run(
		b.context,
		chromedp.Poll[bool](`document.readyState === "complete" &&
			(!document.querySelector("[autofocus]") || document.activeElement !== document.body)`),
	)
	require.NoError(b.t, err, heading)
	loaded := `(() => false)`
	if b.styled {
		loaded = `(name => name.startsWith(location.origin + "/portal/"))`
	}
	var got struct {
		Mark, Lang, Title            string
		Mains, Headings, Wide, Small int
		Loads, Unlabelled, Visible   bool
		Dark                         bool
		Faint                        []string
	}
	b.evaluate(`({
		mark: document.querySelector("header.fake")?.innerText ?? "",
		lang: document.documentElement.lang,
		title: document.title,
		visible: (header => header.getBoundingClientRect().height > 20 &&
			header.checkVisibility({opacityProperty: true, visibilityProperty: true})
		)(document.querySelector("header.fake")),
		mains: document.querySelectorAll("main").length,
		headings: document.querySelectorAll("h1").length,
		wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
		small: [...document.querySelectorAll("button, input:not([type=hidden])")]
			.filter(e => e.getBoundingClientRect().height < 24).length,
		loads: performance.getEntriesByType("resource").some(e => !`+loaded+`(e.name)),
		dark: getComputedStyle(document.body).backgroundColor.match(/\d+/g).slice(0, 3).every(part => part < 64),
		faint: `+faintTexts+`,
		unlabelled: [...document.querySelectorAll("input:not([type=hidden])")].some(e => e.labels.length === 0),
	})`, &got)
	assert.Contains(b.t, got.Mark, "Fake Entra ID", heading)
	assert.True(b.t, got.Visible, "%s: the mark is seen", heading)
	assert.Equal(b.t, "en", got.Lang, heading)
	assert.Contains(b.t, got.Title, "(fake)", heading)
	assert.Equal(b.t, 1, got.Mains, heading)
	assert.Equal(b.t, 1, got.Headings, heading)
	assert.LessOrEqual(b.t, got.Wide, 0, "%s: scrolls sideways", heading)
	assert.Zero(b.t, got.Small, "%s: too small to hit", heading)
	assert.False(b.t, got.Loads, "%s: loads something from elsewhere", heading)
	assert.Equal(b.t, b.dark, got.Dark, "%s: the page follows what the person prefers", heading)
	assert.Empty(b.t, got.Faint, "%s: texts that are hard to read", heading)
	assert.False(b.t, got.Unlabelled, "%s: a field without a label", heading)
	b.keep(heading)
}

// keep writes a picture of the page where PAGES says, for a person to look at.
func (b *tab) keep(name string) {
	folder := os.Getenv("PAGES")
	if folder == "" {
		return
	}
	picture, err := chromedp.Run(b.context, chromedp.FullScreenshot(100))
	require.NoError(b.t, err)
	b.pages++
	file := fmt.Sprintf("%s-%d-%s.png", b.device, b.pages, strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '-'
	}, name))
	require.NoError(b.t, os.WriteFile(filepath.Join(folder, file), picture, 0o600))
}

// alert is what a screen reader says by itself.
func (b *tab) alert() string {
	b.t.Helper()
	var got string
	b.evaluate(`document.querySelector("[role=alert]")?.innerText ?? ""`, &got)
	return got
}

// Every page of a sign-in by keyboard alone, on a desktop and on a phone, for people who prefer
// light and dark pages. The light phone is left to CONFORMANCE=full, as in make race.
func TestPagesByKeyboard(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		device string
		config chromium.Config
	}{
		{"desktop", chromium.Config{}},
		{"phone", chromium.Config{Width: 360, Height: 740}},
		{"phone-dark", chromium.Config{Width: 360, Height: 740, Dark: true}},
	} {
		if test.device == "phone" && os.Getenv("CONFORMANCE") != "full" {
			continue
		}
		t.Run(test.device, func(t *testing.T) {
			t.Parallel()
			b := newTab(t, test.device, test.config)
			app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/html")
				fmt.Fprintf(
					w,
					"<title>App</title><h1>Back: code %v, %s</h1>",
					r.FormValue("code") != "",
					r.FormValue("error"),
				)
			}))
			defer app.Close()
			redirect := strings.Replace(app.URL, "127.0.0.1", "localhost", 1) + "/auth/callback"
			d := withDevices()
			tenant := &d.Tenants[0]
			tenant.Users = append(
				tenant.Users,
				directory.User{
					ID:                "5a1e0004-0000-4000-8000-000000000009",
					UserPrincipalName: "gone@contoso.onmicrosoft.com",
					DisplayName:       "A former employee",
					Disabled:          true,
				},
			)
			fake := fakeentra.NewServer(fakeentra.Config{Directory: d})
			defer fake.Close()
			base := fake.URL + "/" + directory.DefaultTenantID + "/oauth2/v2.0/"
			address := base + "authorize?" + request(
				map[string]string{"redirect_uri": redirect, "scope": "openid offline_access User.Read Calendars.Read"},
			).Encode()

			b.do(chromedp.Navigate(address))
			b.page("Pick an account")
			assert.Equal(t, "Adele Vance", b.focused(), "the keyboard begins at the first account")
			b.to("account")
			b.press("missing@contoso.onmicrosoft.com" + kb.Enter)
			b.do(chromedp.WaitVisible("#problem"))
			b.page("Pick an account")
			assert.Contains(t, b.alert(), "AADSTS50034")
			assert.Equal(t, "account", b.focused())
			var typed, outline string
			b.evaluate(`document.getElementById("account").value`, &typed)
			assert.Equal(t, "missing@contoso.onmicrosoft.com", typed, "the page remembers the name")
			b.to("Alex Wilber")
			b.evaluate(`getComputedStyle(document.activeElement).outlineStyle`, &outline)
			assert.Equal(t, "solid", outline, "it is seen where the keyboard is")
			b.press(kb.Enter)

			b.page("Enter password")
			assert.Equal(t, "password", b.focused())
			b.press("wrong" + kb.Enter)
			b.do(chromedp.WaitVisible("#problem"))
			b.page("Enter password")
			assert.Contains(t, b.alert(), "AADSTS50126")
			b.press("correct horse" + kb.Enter)

			b.page("Permissions requested")
			var permissions []string
			b.evaluate(`[...document.querySelectorAll("ul.permissions li")].map(e => e.firstChild.data)`, &permissions)
			assert.Equal(
				t,
				[]string{
					"Sign you in",
					"Maintain access to data you have given it access to",
					"Sign you in and read your profile",
					"Read your calendars",
				},
				permissions,
			)
			b.to("Cancel")
			b.press(kb.Enter)
			b.do(chromedp.WaitVisible(`//h1[contains(., "Back: code false, access_denied")]`))

			b.do(chromedp.Navigate(address))
			b.page("Permissions requested")
			b.to("Accept")
			b.press(kb.Enter)
			b.do(chromedp.WaitVisible(`//h1[contains(., "Back: code true, ")]`))

			// Signed in and consented: nothing is asked, and form_post comes back by itself.
			b.do(chromedp.Navigate(address + "&response_mode=form_post"))
			b.do(chromedp.WaitVisible(`//h1[contains(., "Back: code true, ")]`))

			b.do(
				chromedp.Navigate(
					base + "authorize?" + request(
						map[string]string{"client_id": "5a1e0002-0000-4000-8000-00000000dead"},
					).Encode(),
				),
			)
			b.page("having trouble signing you in")
			assert.Contains(t, b.alert(), "AADSTS700016")

			b.do(chromedp.Navigate(fake.URL + "/device"))
			b.page("Enter code")
			assert.Equal(t, "user_code", b.focused())
			b.press("NONESUCH9" + kb.Enter)
			b.do(chromedp.WaitVisible("#problem"))
			b.page("Enter code")
			b.do(chromedp.Navigate(base + "logout"))
			b.page("You signed out of your account")
			b.do(chromedp.Navigate(fake.URL + "/"))
			b.page("A fake of Microsoft Entra ID")
			b.do(chromedp.Navigate(fake.URL + "/error?code=700016"))
			b.page("AADSTS700016")
			b.to("code")
			b.press("7" + kb.Enter)
			b.do(chromedp.WaitVisible("#problem"))
			b.page("Look up an error")
			assert.Contains(t, b.alert(), "does not know this error")
		})
	}
}

// The page of an administrator, and the one of a second factor.
func TestPagesOfPolicies(t *testing.T) {
	t.Parallel()
	b := newTab(t, "desktop-policies", chromium.Config{Dark: true})
	d := changed(func(tenant *directory.Tenant) {
		tenant.Users[0].Admin = true
		tenant.Policies = []directory.Policy{{Name: "all users", Require: directory.RequireMFA}}
	})
	fake := fakeentra.NewServer(fakeentra.Config{Directory: d})
	defer fake.Close()
	params := url.Values{
		"client_id":    {directory.DefaultClientID},
		"redirect_uri": {callback},
		"scope":        {"User.Read"},
	}
	b.do(chromedp.Navigate(fake.URL + "/" + directory.DefaultTenantID + "/v2.0/adminconsent?" + params.Encode()))
	b.page("Pick an account")
	b.press(kb.Enter)
	b.page("Approve sign in request")
	assert.Equal(t, "Approve", b.focused())
	b.press(kb.Enter)
	b.page("Permissions requested for your organization")
	b.to("Accept")
}

// No page can be had without the mark: it is in the frame that all of them share.
func TestEveryPageHasTheMark(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("internal/pages/html/*.html")
	require.NoError(t, err)
	require.Greater(t, len(files), 8)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		if filepath.Base(file) != "frame.html" {
			assert.Contains(t, string(text), `{{template "mark" .}}`, file)
			assert.NotRegexp(t, `(src|href)="(https?:)?//`, string(text), "%s: from elsewhere", file)
		}
	}
}
