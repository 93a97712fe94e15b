package report_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"mcpentra/conformance/check"
	"mcpentra/conformance/report"
)

// parsedPage returns the elements of a document's page.
func parsedPage(t *testing.T, document *report.Document) []*html.Node {
	t.Helper()
	root, err := html.Parse(bytes.NewReader(written(t, document)))
	require.NoError(t, err)
	var all []*html.Node
	for node := range root.Descendants() {
		if node.Type == html.ElementNode {
			all = append(all, node)
		}
	}
	return all
}

// attribute returns the value of an attribute, or "".
func attribute(node *html.Node, name string) string {
	for _, found := range node.Attr {
		if found.Key == name {
			return found.Val
		}
	}
	return ""
}

// hasClass reports whether an element has a class.
func hasClass(node *html.Node, class string) bool {
	return slices.Contains(strings.Fields(attribute(node, "class")), class)
}

// textOf returns the text of an element, with single spaces.
func textOf(node *html.Node) string {
	var text strings.Builder
	for found := range node.Descendants() {
		if found.Type == html.TextNode {
			text.WriteString(found.Data + " ")
		}
	}
	return strings.Join(strings.Fields(text.String()), " ")
}

// withClass returns the elements that have a class.
func withClass(all []*html.Node, class string) []*html.Node {
	return slices.DeleteFunc(slices.Clone(all), func(node *html.Node) bool { return !hasClass(node, class) })
}

// withID returns the element that has an ID.
func withID(t *testing.T, all []*html.Node, id string) *html.Node {
	t.Helper()
	i := slices.IndexFunc(all, func(node *html.Node) bool { return attribute(node, "id") == id })
	require.GreaterOrEqual(t, i, 0, "no element has the ID %s", id)
	return all[i]
}

// TestPageHasEvidence looks for all that a result says, in the element that a deep link names.
func TestPageHasEvidence(t *testing.T) {
	t.Parallel()
	rule := check.Rule{
		ID:           "server/token/expired",
		Level:        check.Must,
		Severity:     check.Critical,
		EachRevision: true,
		Reference:    "RFC 7519 section 4.1.4",
		Sentence:     "A token that has expired is refused.",
		Covers:       []string{"RS-012", "server-token-exp"},
	}
	document := documentOf([]check.Rule{rule}, func(_ check.Rule, _, j int) check.Verdict {
		return []check.Verdict{check.Fail, check.Fail, check.Pass, check.Skip}[j]
	})
	all := parsedPage(t, document)
	body := withID(t, all, "server/token/expired")
	assert.True(t, hasClass(body, "body"))
	for _, want := range []string{
		"MUST A token that has expired is refused.",
		"from RFC 7519 section 4.1.4",
		"covers RS-012, server-token-exp",
		"fail 2025-03-26 , 2025-06-18",
		"want status 401: the token of another audience got status 200, and the tool ran",
		"risk critical The bad input had an effect.",
		"want status 401: without kid got status 500",
		"Change Verify each token",
		"Repeat mcp-auth-conformance server https://mcp.example.com/mcp --token-file good.txt " +
			"--only server/token/expired --revision 2025-03-26 Copy",
		"--only server/token/expired --revision 2025-06-18 Copy",
		"2025-06-18: 6 of 9 exchanges , 31 ms",
		"POST https://mcp.example.com/mcp Accept: application/json",
		"pass 2025-11-25",
		"skip 2026-07-28 needs --issuer-key FILE",
	} {
		assert.Contains(t, textOf(body), want)
	}
	row := textOf(body.Parent.FirstChild.NextSibling)
	assert.Contains(t, row, "fail server/token/expired A token that has expired is refused.")
	assert.Contains(t, row, "2025-03-26 fail 2025-06-18 fail 2025-11-25 pass 2026-07-28 skip")
	assert.Contains(t, row, "insecure critical MUST 4 revisions")
	for _, revision := range check.Revisions() {
		withID(t, all, "server/token/expired@"+string(revision))
	}
	assert.Len(t, withClass(all, "outcome"), 3)
	assert.Len(t, withClass(all, "try"), 4)
}

// TestPageAnswersBothQuestions wants the answers with their figures, in all and for each role at
// each revision.
func TestPageAnswersBothQuestions(t *testing.T) {
	t.Parallel()
	document := bigDocument()
	all := parsedPage(t, document)
	cards := withClass(all, "card")
	require.Len(t, cards, 2)
	assert.Equal(t, "Secure no "+document.Secure.Reason, textOf(cards[0]))
	assert.Equal(t, "Conformant no "+document.Conformant.Reason, textOf(cards[1]))
	table := slices.IndexFunc(all, func(node *html.Node) bool { return node.Data == "tbody" })
	var rows []string
	for row := range all[table].ChildNodes() {
		if row.Type == html.ElementNode {
			rows = append(rows, textOf(row))
		}
	}
	require.Len(t, rows, len(document.Scores))
	for i, score := range document.Scores {
		want := score.Role + " " + string(score.Revision) + " " + string(score.Secure.Answer) + " " +
			score.Secure.Reason + " " + string(score.Conformant.Answer) + " " + score.Conformant.Reason
		assert.Contains(t, rows[i], want)
	}
	assert.Len(t, withClass(all, "try"), len(document.Results))
}

// TestPageGroupsChanges wants each change once, with the checks that it mends, and the worst first.
func TestPageGroupsChanges(t *testing.T) {
	t.Parallel()
	rules := []check.Rule{
		{ID: "server/token/note", Level: check.Policy},
		{ID: "server/token/expired", Level: check.Must, Severity: check.High},
		{ID: "server/token/audience", Level: check.Must, Severity: check.Critical},
		{ID: "server/token/skip", Level: check.Must},
		{ID: "server/token/error", Level: check.Must},
	}
	verdicts := []check.Verdict{check.Note, check.Fail, check.Fail, check.Skip, check.Error}
	document := documentOf(rules, func(_ check.Rule, i, _ int) check.Verdict { return verdicts[i] })
	for i := range document.Results {
		if result := &document.Results[i]; result.Verdict == "note" {
			result.Change = "Keep the policy."
		}
	}
	var remarks []string
	for _, list := range withClass(parsedPage(t, document), "remarks") {
		for item := range list.ChildNodes() {
			if item.Type == html.ElementNode {
				remarks = append(remarks, textOf(item))
			}
		}
	}
	assert.Equal(t, []string{
		"critical Verify each token with one strict verifier: server/t " +
			"server/token/expired , server/token/audience",
		"note Keep the policy. server/token/note",
		"error cannot judge: the correct request gets status 503 server/token/error",
		"skip needs --issuer-key FILE: a token of the kind expired server/token/skip",
	}, remarks)
}

// TestPageIsValidForHostileTexts puts hostile texts everywhere. The page has no element, attribute
// or address that the template does not have, and no character that hides others.
func TestPageIsValidForHostileTexts(t *testing.T) {
	t.Parallel()
	for name, document := range pages() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ids := map[string]bool{}
			scripts := 0
			for _, node := range parsedPage(t, document) {
				if node.Data == "script" {
					scripts++
				}
				assert.NotContains(t, []string{"img", "svg", "iframe", "object"}, node.Data)
				for _, found := range node.Attr {
					assert.False(t, strings.HasPrefix(found.Key, "on"), found.Key)
					switch found.Key {
					case "id":
						assert.Regexp(t, `^[A-Za-z0-9/@._-]+$`, found.Val)
						assert.False(t, ids[found.Val], "%s is used twice", found.Val)
						ids[found.Val] = true
					case "href":
						assert.Regexp(t, `^(#[A-Za-z0-9/@._-]+|data:,)$`, found.Val)
					case "src", "style", "action":
						t.Errorf("%s has %s", node.Data, found.Key)
					}
				}
			}
			assert.Equal(t, 1, scripts)
			for _, r := range string(written(t, document)) {
				if !unicode.IsGraphic(r) && r != '\n' && r != '\t' {
					t.Fatalf("the page has the character %U", r)
				}
			}
		})
	}
}

// TestPageShowsControlCharacters wants characters that hide something as their code points.
func TestPageShowsControlCharacters(t *testing.T) {
	t.Parallel()
	page := html.UnescapeString(string(written(t, hostileDocument())))
	for _, want := range []string{
		"[U+202E]gnirts desrever[U+202C] [U+2066]isolated",
		"nul [U+0000] bell [U+0007] escape [U+001B][31m delete [U+007F] next line [U+0085] not UTF-8 \ufffd",
		"zero[U+200B]width [U+00AD][U+2028]line",
		"bytes more]",
		"\u05e9\u05dc\u05d5\u05dd",
	} {
		assert.True(t, strings.Contains(page, want), want)
	}
}

// TestPagePolicyAllowsItsPartsOnly compares the hashes of the policy with the style and the script.
func TestPagePolicyAllowsItsPartsOnly(t *testing.T) {
	t.Parallel()
	all := parsedPage(t, bigDocument())
	policy := ""
	sources := map[string]string{}
	for _, node := range all {
		switch {
		case attribute(node, "http-equiv") == "Content-Security-Policy":
			policy = attribute(node, "content")
			require.Empty(t, sources, "the policy comes first")
		case node.Data == "script", node.Data == "style":
			sum := sha256.Sum256([]byte(node.FirstChild.Data))
			sources[node.Data] = "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
		}
	}
	require.Len(t, sources, 2)
	for _, want := range []string{
		"default-src 'none'",
		"style-src " + sources["style"] + ";",
		"script-src " + sources["script"] + ";",
		"base-uri 'none'",
		"form-action 'none'",
	} {
		assert.Contains(t, policy, want)
	}
	assert.NotContains(t, policy, "unsafe")
	assert.NotContains(t, policy, "http")
}

// TestPageIsBounded has more evidence than a page may have. The worst result keeps its own.
func TestPageIsBounded(t *testing.T) {
	t.Parallel()
	page := string(written(t, bigDocument()))
	assert.Less(t, len(page), 8<<20)
	assert.False(t, strings.Contains(page, "Some exchanges are left out"))

	document := passDocument()
	long := strings.Repeat("x", 7000)
	many := slices.Repeat([]report.Mismatch{{Want: long, Got: long, Exchange: long}}, 20)
	for i := range document.Results {
		document.Results[i].Exchanges = []string{long, long, long, long}
		document.Results[i].Mismatches = many
	}
	worst := &document.Results[len(document.Results)-1]
	worst.Verdict = "fail"
	worst.Risk = check.Critical
	assert.Less(t, len(written(t, document)), 16<<20)
	all := parsedPage(t, document)
	assert.True(t, strings.Contains(textOf(withID(t, all, "page_checks")), "Some exchanges are left out"))
	assert.True(t, strings.Contains(textOf(withClass(all, "list")[0]), "0 of 9 exchanges"))
	body := textOf(withID(t, all, worst.ID))
	assert.True(t, strings.Contains(body, "4 of 9 exchanges"))
	assert.GreaterOrEqual(t, strings.Count(body, " got x"), 20, "all mismatches of the worst")
}

// TestPageKeepsDocument writes a page twice. The first does not change the document.
func TestPageKeepsDocument(t *testing.T) {
	t.Parallel()
	document := hostileDocument()
	assert.Equal(t, written(t, document), written(t, document))
	assert.Equal(t, hostileTexts[0], document.Results[0].Sentence)
}

// TestPageReportsFailedWrite wants the error of the writer.
func TestPageReportsFailedWrite(t *testing.T) {
	t.Parallel()
	require.ErrorContains(t, report.WriteHTML(failing{}, passDocument()), "no space")
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("no space") }

// TestPageHasNoAddresses wants no address that a browser loads by itself.
func TestPageHasNoAddresses(t *testing.T) {
	t.Parallel()
	page := written(t, passDocument())
	assert.NotRegexp(t, regexp.MustCompile(`(src|href|action)\s*=\s*["']?(https?:)?//|url\(|@import`), string(page))
}
