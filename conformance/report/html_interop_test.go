package report_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// interop is the folder of other people's Node.js software. Without make interop, which installs
// it, the test is skipped.
func interop(t *testing.T) string {
	t.Helper()
	folder, err := filepath.Abs("../../testdata/interop")
	require.NoError(t, err)
	if os.Getenv("MCPENTRA_INTEROP") == "" {
		t.Skip("needs Node.js packages: make interop installs them and runs this")
	}
	_, err = os.Stat(filepath.Join(folder, "node_modules"))
	require.NoError(t, err, "npm ci in testdata/interop")
	return folder
}

// TestInteropPageIsValidHTML gives the pages of all kinds of runs to html-validate.
func TestInteropPageIsValidHTML(t *testing.T) {
	t.Parallel()
	folder := interop(t)
	arguments := []string{filepath.Join("report", "validate.mjs")}
	for _, document := range pages() {
		arguments = append(arguments, pageFile(t, document))
	}
	node := exec.CommandContext(t.Context(), "node", arguments...)
	node.Dir = folder
	output, err := node.CombinedOutput()
	require.NoError(t, err, "%.4000s", output)
	assert.Equal(t, len(pages()), strings.Count(string(output), "ok "), "%s", output)
}

// A violation is a rule of axe that a page breaks.
type violation struct {
	ID    string   `json:"id"`
	Help  string   `json:"help"`
	Nodes []string `json:"nodes"`
}

// axeRun returns the violations that axe finds, with the first elements of each.
const axeRun = `axe.run(document, {resultTypes: ["violations"]}).then(found => JSON.stringify(
	found.violations.map(({id, help, nodes}) => ({
		id,
		help,
		nodes: nodes.slice(0, 3).map(node => node.html.slice(0, 200) + node.failureSummary),
	}))))`

// TestInteropPageIsAccessible runs axe in the pages of all kinds of runs, at a desk and on a phone,
// in light and dark, with the evidence open.
func TestInteropPageIsAccessible(t *testing.T) {
	t.Parallel()
	axe, err := os.ReadFile(filepath.Join(interop(t), "node_modules", "axe-core", "axe.min.js"))
	require.NoError(t, err)
	browser := startBrowser(t)
	documents := pages()
	documents["broken"] = documentOf(allRules()[:12], verdictsOf)
	documents["pass"] = documentOf(allRules()[:4], verdictsOf)
	for name, document := range documents {
		for _, look := range allLooks() {
			t.Run(name+" "+look.name, func(t *testing.T) {
				t.Parallel()
				b := openTab(t, browser, document, look)
				// The policy of the page allows no script besides its own.
				_, err := chromedp.Call(b.ctx, page.SetBypassCSP, page.SetBypassCSPParams{Enabled: true})
				require.NoError(t, err)
				b.visit("")
				b.do(chromedp.Click("#page_open"))
				var opened bool
				b.evaluate(`[...document.querySelectorAll("details")].every(details => details.open = true)`, &opened)
				_, err = chromedp.Run(b.ctx, chromedp.Evaluate[bool](string(axe)+"; true"))
				require.NoError(t, err)
				text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](axeRun, chromedp.EvalAwaitPromise))
				require.NoError(t, err)
				var violations []violation
				require.NoError(t, json.Unmarshal([]byte(text), &violations))
				for _, found := range violations {
					t.Errorf("%s: %s: %.600s", found.ID, found.Help, strings.Join(found.Nodes, "\n"))
				}
			})
		}
	}
}
