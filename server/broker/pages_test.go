package broker_test

import (
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/gkampitakis/go-snaps/snaps"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestProblemPageMatchesSnapshot shows the page for a person who can only close the window, and for
// a person who can go on to the client.
func TestProblemPageMatchesSnapshot(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	const redirect = "https://app.example/callback"
	client := e.public(redirect)
	for _, test := range []struct {
		name   string
		change []string
	}{
		{"unknown-client", []string{"client_id", "unknown"}},
		{"client-error", []string{"response_type", "token"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			page := e.browser().get(e.request(client, append(test.change, "redirect_uri", redirect)...))
			require.Equal(t, http.StatusBadRequest, page.status)
			e.matchPage(t, "problem-page-"+test.name, page.body)
		})
	}
}

// TestConsentPageMatchesSnapshot shows the page for a program on this computer, for a site with
// warnings, and for a person who is signed in.
func TestConsentPageMatchesSnapshot(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{scopes: threeScopes()})
	t.Run("program", func(t *testing.T) {
		t.Parallel()
		page := e.browser().get(e.request(e.named("Notes", loopback)))
		e.matchPage(t, "consent-page-program", page.body)
	})
	t.Run("site", func(t *testing.T) {
		t.Parallel()
		const redirect = "https://ciaude.ai/callback"
		client := e.named("Claude", redirect)
		page := e.browser().get(e.request(client, "redirect_uri", redirect, "scope", "user.read notes.write"))
		e.matchPage(t, "consent-page-site", page.body)
	})
	t.Run("document", func(t *testing.T) {
		t.Parallel()
		e, _, client := newDocumentEnv(t, options{})
		e.matchPage(t, "consent-page-document", e.browser().get(e.request(client)).body)
	})
	t.Run("signed in", func(t *testing.T) {
		t.Parallel()
		client := e.named("Notes", appURI)
		b := e.browser()
		e.code(client, b, "redirect_uri", appURI)
		asked := b.get(e.request(client, "redirect_uri", appURI, "prompt", "select_account"), "Sec-Fetch-Site", "none")
		other := e.fake.Tenant().Users[1].UserPrincipalName
		page := b.get(e.signIn(b, asked.header.Get("Location"), other))
		e.matchPage(t, "consent-page-signed-in", page.body)
	})
}

// secretValue finds the values that differ from run to run: secrets of forms, and client IDs.
var secretValue = regexp.MustCompile(`(value="|<dd>)[\w-]{22,43}(">|</dd>)`)

// matchPage compares a page with a snapshot.
func (e *env) matchPage(t *testing.T, name, body string) {
	t.Helper()
	port := strings.TrimPrefix(e.origin, "http://localhost:")
	text := strings.NewReplacer("localhost:"+port, "localhost:8000", "localhost%3A"+port, "localhost%3A8000").
		Replace(secretValue.ReplaceAllString(body, "${1}RANDOM${2}"))
	folder := snaps.Dir("../../testdata/snapshots")
	snaps.WithConfig(folder, snaps.Filename(name), snaps.Ext(".html")).MatchStandaloneSnapshot(t, text)
}

var colour = regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{3,6});`)

// TestColoursHaveContrast checks that text has a contrast of 4.5 to 1 in both modes (WCAG 2.2,
// success criterion 1.4.3).
func TestColoursHaveContrast(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	body := e.browser().get(e.request(e.public())).body
	light, dark, found := strings.Cut(body, "prefers-color-scheme: dark")
	require.True(t, found)
	colours := map[string]string{}
	for mode, text := range []string{light, dark} {
		for _, match := range colour.FindAllStringSubmatch(text, -1) {
			colours[match[1]] = match[2]
		}
		for _, pair := range [][2]string{
			{colours["ink"], colours["paper"]},
			{colours["quiet"], colours["paper"]},
			{colours["warn-ink"], colours["warn"]},
			{colours["alert-ink"], colours["alert"]},
			{"#fff", colours["act"]},
		} {
			ink := luminance(t, pair[0])
			paper := luminance(t, pair[1])
			contrast := (max(ink, paper) + 0.05) / (min(ink, paper) + 0.05)
			assert.GreaterOrEqual(t, contrast, 4.5, "mode %d, %s on %s", mode, pair[0], pair[1])
		}
	}
}

// luminance returns the relative luminance of a colour (WCAG 2.2).
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	hex = strings.TrimPrefix(hex, "#")
	if len(hex) == 3 {
		hex = strings.Repeat(hex[:1], 2) + strings.Repeat(hex[1:2], 2) + strings.Repeat(hex[2:], 2)
	}
	sum := 0.0
	for i, share := range []float64{0.2126, 0.7152, 0.0722} {
		value, err := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		require.NoError(t, err)
		part := float64(value) / 255
		if part <= 0.04045 {
			part /= 12.92
		} else {
			part = math.Pow((part+0.055)/1.055, 2.4)
		}
		sum += share * part
	}
	return sum
}
