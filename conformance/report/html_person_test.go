package report_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/report"
)

// TestPageAnswersPerson uses the page as a person does, from a file.
func TestPageAnswersPerson(t *testing.T) {
	t.Parallel()
	browser := startBrowser(t)
	for name, try := range map[string]func(*tab, *report.Document){
		"filters":                  filters,
		"searches by keyboard":     searches,
		"follows links":            followsLinks,
		"shows hidden checks":      showsHidden,
		"has a link to nothing":    missesLinks,
		"changes colors":           changesColors,
		"copies commands":          copies,
		"opens for paper":          prints,
		"works without the script": worksWithoutScript,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			document := tokenDocument()
			b := openTab(t, browser, document, looks()[0])
			try(b, document)
			b.quiet()
		})
	}
}

// hitsOf returns what the page says about the results that match.
func hitsOf(document *report.Document, matches func(report.Result) bool) string {
	checks := map[string]bool{}
	found := map[string]bool{}
	count := 0
	for _, result := range document.Results {
		checks[result.ID] = true
		if matches(result) {
			found[result.ID] = true
			count++
		}
	}
	return fmt.Sprintf("%d of %d checks, %d of %d results", len(found), len(checks), count, len(document.Results))
}

// says waits until the page says how many results match, and wants as many to be seen.
func (b *tab) says(want string) {
	b.t.Helper()
	b.wait(fmt.Sprintf(`document.getElementById("page_hits").textContent === %q`, want))
	var checks, results int
	_, err := fmt.Sscanf(want, "%d of", &checks)
	require.NoError(b.t, err)
	_, after, _ := strings.Cut(want, "checks, ")
	_, err = fmt.Sscanf(after, "%d of", &results)
	require.NoError(b.t, err)
	var shown [2]int
	b.evaluate(`[
		[...document.querySelectorAll(".rule")].filter(e => e.checkVisibility()).length,
		[...document.querySelectorAll(".try")].filter(e => !e.closest("[hidden]")).length,
	]`, &shown)
	assert.Equal(b.t, [2]int{checks, results}, shown)
}

// choose sets a field of the filter as a person does.
func (b *tab) choose(field, value string) {
	b.t.Helper()
	b.do(chromedp.SetValue(fmt.Sprintf("#page_filter [name=%s]", field), value))
	var ok bool
	b.evaluate(fmt.Sprintf(
		`document.querySelector("#page_filter [name=%s]").dispatchEvent(new Event("input", {bubbles: true}))`, field,
	), &ok)
}

func filters(b *tab, document *report.Document) {
	b.visit("")
	b.choose("verdict", "fail")
	b.says(hitsOf(document, func(r report.Result) bool { return r.Verdict == "fail" }))
	b.choose("revision", "2025-06-18")
	b.says(hitsOf(document, func(r report.Result) bool { return r.Verdict == "fail" && r.Revision == "2025-06-18" }))
	b.wait(`location.hash === "#verdict=fail&revision=2025-06-18"`)
	b.choose("severity", "critical")
	b.choose("level", "MUST")
	criticalFailure := func(r report.Result) bool {
		return r.Verdict == "fail" && r.Revision == "2025-06-18" && r.Severity == "critical"
	}
	b.says(hitsOf(document, criticalFailure))
	b.do(chromedp.Click("#page_filter [type=reset]"))
	b.wait(`!document.getElementById("page_hits").textContent.includes("of")`)

	// The fragment has the filter, and a link of the summary sets it.
	b.visit("#role=server&security=1")
	b.says(hitsOf(document, func(r report.Result) bool { return r.Role == "server" && r.Severity != "" }))
	b.do(chromedp.Click(".tally .insecure a"))
	b.says(hitsOf(document, func(r report.Result) bool { return r.Verdict == "fail" && r.Risk != "" }))
	b.visit("#verdict=known")
	b.says(hitsOf(document, func(r report.Result) bool { return r.Known }))
	b.visit("#verdict=problem")
	b.says(hitsOf(document, func(r report.Result) bool { return r.Verdict != "pass" && r.Verdict != "skip" }))
	b.visit("#level=nonsense&nothing=1")
	b.wait(`document.getElementById("page_hits").textContent !== ""`)
	var text string
	b.evaluate(`document.getElementById("page_hits").textContent`, &text)
	assert.NotContains(b.t, text, "of", "a value that no field has filters nothing")
}

// slash presses a key as a keyboard does: the page can keep it from being typed.
func slash(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
	down := input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: "/", Code: "Slash", Text: "/"}
	_, err := cdp.Call(ctx, target, input.DispatchKeyEvent, down)
	return chromedp.Void{}, err
}

func searches(b *tab, document *report.Document) {
	b.visit("")
	b.do(chromedp.KeyEvent("\t"))
	var focused string
	b.evaluate(`document.activeElement.textContent`, &focused)
	assert.Equal(b.t, "Skip to the checks", focused)
	b.do(slash, chromedp.KeyEvent("server/Token AUDIENCE"))
	b.says(hitsOf(document, func(r report.Result) bool {
		text := strings.ToLower(r.ID + " " + r.Sentence + " " + r.Reference + " " + strings.Join(r.Covers, " "))
		for _, mismatch := range r.Mismatches {
			text += mismatch.Want + " " + mismatch.Got
		}
		return strings.Contains(text, "server/token") && strings.Contains(text, "audience")
	}))
	b.wait(`location.hash === "#q=server%2FToken+AUDIENCE"`)
	// A slash in the field is a slash.
	b.do(slash)
	b.wait(`document.querySelector("#page_filter [name=q]").value.endsWith("AUDIENCE/")`)
	b.wait(`document.getElementById("page_hits").textContent.startsWith("0 of")`)
	// Enter does not leave the page, and a check opens with the keyboard alone.
	b.do(chromedp.KeyEvent("\r"))
	b.visit("#server/token/expired")
	b.wait(`document.activeElement.matches(".rule > summary")`)
	b.do(chromedp.KeyEvent("\r"))
	b.wait(`!document.activeElement.parentElement.open`)
}

// isShown waits until a check is open, in the window and at the keyboard.
func (b *tab) isShown(id string) {
	b.t.Helper()
	b.wait(fmt.Sprintf(`(() => {
		const rule = document.getElementById(%q).closest(".rule");
		const summary = rule.firstElementChild;
		const box = summary.getBoundingClientRect();
		const seen = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
		return rule.open && summary === document.activeElement && summary.contains(seen);
	})()`, id))
}

func followsLinks(b *tab, _ *report.Document) {
	b.visit("#server/token/expired@2025-11-25")
	b.isShown("server/token/expired")
	b.wait(`[...document.querySelectorAll(".try details[open] > summary")]
		.some(e => e.checkVisibility() && e.textContent.startsWith("2025-11-25: 6 of 9 exchanges"))`)
	b.keep("linked")
	b.visit("#server%2Ftoken%2Fexpired%402025-11-25")
	b.isShown("server/token/expired")
	b.visit("#server/token/expired@1999-01-01")
	b.isShown("server/token/expired")
	b.do(chromedp.Click(".links a"))
	b.wait(`document.activeElement.matches(".rule > summary") && document.activeElement.parentElement.open`)
}

func showsHidden(b *tab, document *report.Document) {
	kept := ""
	for _, result := range document.Results {
		if result.Verdict == "pass" && strings.HasSuffix(result.Name, "2025-03-26") {
			kept = result.ID
		}
	}
	b.visit("#verdict=fail")
	b.says(hitsOf(document, func(r report.Result) bool { return r.Verdict == "fail" }))
	var ok bool
	b.evaluate(fmt.Sprintf(`location.hash = %q`, kept), new(string))
	b.isShown(kept)
	b.evaluate(`document.querySelector("#page_filter [name=verdict]").value === ""`, &ok)
	assert.True(b.t, ok)
	b.evaluate(`(history.back(), true)`, &ok)
	b.says(hitsOf(document, func(r report.Result) bool { return r.Verdict == "fail" }))
}

func missesLinks(b *tab, _ *report.Document) {
	b.visit("#server/token/never")
	b.wait(`document.getElementById("page_hits").textContent === "This report has no check server/token/never."`)
	b.visit("#%E0%A4%A")
	b.wait(`document.getElementById("page_hits").textContent.includes("%E0%A4%A")`)
}

func changesColors(b *tab, _ *report.Document) {
	b.visit("")
	const light = `getComputedStyle(document.body).backgroundColor.match(/\d+/g).slice(0, 3).every(part => part > 200)`
	b.wait(light)
	b.do(chromedp.Click("#page_theme"))
	b.wait("!" + light)
	b.wait(`document.getElementById("page_theme").textContent === "Light colors"`)
	// Where the browser keeps nothing, the button still works.
	var ok bool
	b.evaluate(`(Object.defineProperty(window, "localStorage", {get() { throw new Error("none"); }}), true)`, &ok)
	b.do(chromedp.Click("#page_theme"))
	b.wait(light)
}

func copies(b *tab, _ *report.Document) {
	b.visit("")
	b.do(chromedp.Click("header button.copy"))
	b.wait(`["Copied", "Selected"].includes(document.querySelector("header button.copy").firstChild.data)`)
	var selected string
	b.evaluate(`document.querySelector("header button.copy").firstChild.data === "Copied" || getSelection().toString()`+
		` === document.querySelector("header .command code").textContent ? "" : getSelection().toString()`, &selected)
	assert.Empty(b.t, selected)
}

func prints(b *tab, _ *report.Document) {
	b.visit("")
	const counts = `[
		document.querySelectorAll(".topic:not([open])").length,
		document.querySelectorAll(".rule.fail:not([open])").length,
		document.querySelectorAll(".rule.pass[open]").length,
	]`
	var before, paper, after [3]int
	b.evaluate(counts, &before)
	b.evaluate(`(dispatchEvent(new Event("beforeprint")), `+counts+`)`, &paper)
	b.evaluate(`(dispatchEvent(new Event("afterprint")), `+counts+`)`, &after)
	assert.Equal(b.t, [3]int{}, paper)
	assert.Positive(b.t, before[1])
	assert.Equal(b.t, before, after)
}

func worksWithoutScript(b *tab, document *report.Document) {
	disable := func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		off := emulation.SetScriptExecutionDisabledParams{Value: true}
		_, err := cdp.Call(ctx, target, emulation.SetScriptExecutionDisabled, off)
		return chromedp.Void{}, err
	}
	b.do(disable)
	b.visit("#server/token/expired@2025-11-25")
	b.do(chromedp.WaitVisible(`[id="server/token/expired"]`))
	var got struct {
		Controls, Tries int
		Open            bool
	}
	b.evaluate(`({
		controls: [...document.querySelectorAll("button, input, select")].filter(e => e.checkVisibility()).length,
		tries: document.querySelectorAll(".try:not([hidden])").length,
		open: document.getElementById("server/token/expired").closest("details").open,
	})`, &got)
	assert.Zero(b.t, got.Controls, "controls that do nothing")
	assert.Len(b.t, document.Results, got.Tries)
	assert.True(b.t, got.Open)
}
