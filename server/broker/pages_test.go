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

// TestProblemPageMatchesSnapshot shows a change of the page in review. If the broker knows the
// client and its redirect URI, the person can go on to the client.
func TestProblemPageMatchesSnapshot(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	const redirect = "https://app.example/callback"
	client := w.public(redirect)
	for name, change := range map[string][]string{
		"unknown-client": {"redirect_uri", redirect, "client_id", "unknown"},
		"client-error":   {"redirect_uri", redirect, "response_type", "token"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			page := w.browser().get(w.request(client, change...))
			require.Equal(t, http.StatusBadRequest, page.status)
			port := strings.TrimPrefix(w.origin, "http://localhost:")
			text := strings.NewReplacer("localhost:"+port, "localhost:8000", "localhost%3A"+port, "localhost%3A8000").
				Replace(page.body)
			folder := snaps.Dir("../../testdata/snapshots")
			file := snaps.Filename("problem-page-" + name)
			snaps.WithConfig(folder, file, snaps.Ext(".html")).MatchStandaloneSnapshot(t, text)
		})
	}
}

var colour = regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{3,6});`)

// TestColoursHaveContrast holds text to 4.5 to 1 in both modes (WCAG 2.2, success criterion 1.4.3).
func TestColoursHaveContrast(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	body := w.browser().get(w.request(w.public())).body
	light, dark, found := strings.Cut(body, "prefers-color-scheme: dark")
	require.True(t, found)
	colours := map[string]string{}
	for mode, text := range []string{light, dark} {
		for _, one := range colour.FindAllStringSubmatch(text, -1) {
			colours[one[1]] = one[2]
		}
		for _, pair := range [][2]string{
			{colours["ink"], colours["paper"]},
			{colours["quiet"], colours["paper"]},
			{colours["warn-ink"], colours["warn"]},
			{colours["alert-ink"], colours["alert"]},
			{"#fff", colours["act"]},
		} {
			one := luminance(t, pair[0])
			other := luminance(t, pair[1])
			contrast := (max(one, other) + 0.05) / (min(one, other) + 0.05)
			assert.GreaterOrEqual(t, contrast, 4.5, "mode %d, %s on %s", mode, pair[0], pair[1])
		}
	}
}

// luminance is the relative luminance of a colour (WCAG 2.2).
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
