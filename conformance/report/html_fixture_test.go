package report_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients"
	"mcpentra/conformance/issuers"
	"mcpentra/conformance/report"
	"mcpentra/conformance/servers"
)

// allRules returns the rules of all checks.
func allRules() []check.Rule {
	var rules []check.Rule
	for _, current := range servers.Checks() {
		rules = append(rules, current.Rule)
	}
	for _, current := range issuers.Checks() {
		rules = append(rules, current.Rule)
	}
	for _, current := range clients.Checks() {
		rules = append(rules, current.Rule)
	}
	return rules
}

// exchangeText is like an exchange of a real run.
const exchangeText = `POST https://mcp.example.com/mcp
  Accept: application/json, text/event-stream
  Authorization: …
  Content-Type: application/json
  Mcp-Protocol-Version: %s
  Mcp-Session-Id: 7MTRXSQDLHG5CBXJ2T6ZQEKQ7E
→ 401 Unauthorized
  Cache-Control: no-store
  Content-Type: application/json
  Date: Mon, 30 Nov 2026 00:19:08 GMT
  Www-Authenticate: Bearer error="invalid_token", resource_metadata="https://mcp.example.com/metadata"
`

// resultOf returns a result of a rule at a revision.
func resultOf(rule check.Rule, revision check.Revision, verdict check.Verdict) check.Result {
	result := check.Result{
		Rule:     rule,
		Revision: revision,
		Verdict:  verdict,
		Recorded: 9,
		Duration: 31 * time.Millisecond,
	}
	for range 6 {
		result.Exchanges = append(result.Exchanges, fmt.Sprintf(exchangeText, revision))
	}
	switch verdict {
	case check.Fail, check.Warn, check.Note:
		result.Err = &check.Mismatch{
			Want:     "status 401: the token of another audience",
			Got:      "status 200, and the tool ran",
			Insecure: verdict == check.Fail && rule.Severity != "",
			Exchange: fmt.Sprintf(exchangeText, revision),
			Others:   []*check.Mismatch{{Want: "status 401: without kid", Got: "status 500"}},
		}
	case check.Error:
		result.Err = &check.CannotJudge{Reason: "the correct request gets status 503"}
	case check.Skip:
		result.Err = &check.Skipped{Reason: "needs --issuer-key FILE: a token of the kind expired"}
	}
	return result
}

// verdictsOf makes a run with every verdict. Failures differ from revision to revision.
func verdictsOf(rule check.Rule, i, j int) check.Verdict {
	broken := map[check.Level]check.Verdict{
		check.Must:   check.Fail,
		check.Should: check.Warn,
		check.Policy: check.Note,
	}[rule.Level]
	switch {
	case i%9 == 0:
		return broken
	case i%31 == 0 && j > 1:
		return broken
	case i%23 == 0:
		return check.Error
	case i%7 == 0:
		return check.Skip
	}
	return check.Pass
}

// documentOf returns a document with each of the rules at four revisions.
func documentOf(rules []check.Rule, verdict func(rule check.Rule, i, j int) check.Verdict) *report.Document {
	var results []check.Result
	for i, rule := range rules {
		rule.EachRevision = true
		for j, revision := range check.Revisions() {
			results = append(results, resultOf(rule, revision, verdict(rule, i, j)))
		}
	}
	run := report.Run{
		Target:   "https://mcp.example.com/mcp",
		Program:  "1.2.3",
		Command:  "mcp-auth-conformance server https://mcp.example.com/mcp --token-file good.txt",
		Began:    time.Date(2026, 11, 30, 0, 2, 3, 0, time.UTC),
		Duration: 72 * time.Second,
		Again: func(result check.Result) string {
			return "mcp-auth-conformance server https://mcp.example.com/mcp --token-file good.txt --only " +
				result.Rule.ID + " --revision " + string(result.Revision)
		},
		Change: func(id string) string { return "Verify each token with one strict verifier: " + id[:8] },
		IsKnown: func(result check.Result) bool {
			return result.Verdict == check.Fail && strings.Contains(result.Rule.ID, "/metadata/")
		},
	}
	return report.New(run, results)
}

// bigDocument is a run of 1,500 results, with every verdict.
func bigDocument() *report.Document {
	rules := allRules()
	return documentOf(rules[:min(len(rules), 375)], verdictsOf)
}

// tokenDocument is a smaller run with every verdict.
func tokenDocument() *report.Document {
	var rules []check.Rule
	for _, rule := range allRules() {
		for _, topic := range []string{"server/token/", "server/metadata/", "authorization-server/metadata/"} {
			if strings.HasPrefix(rule.ID, topic) {
				rules = append(rules, rule)
			}
		}
	}
	return documentOf(rules, verdictsOf)
}

// passDocument is a run in which every rule is kept.
func passDocument() *report.Document {
	return documentOf(allRules()[:100], func(check.Rule, int, int) check.Verdict { return check.Pass })
}

// skipDocument is a run in which nothing was tried.
func skipDocument() *report.Document {
	return documentOf(allRules()[:40], func(check.Rule, int, int) check.Verdict { return check.Skip })
}

// hostileTexts are texts that break a page that trusts them.
var hostileTexts = []string{
	`</script><script>alert(1)</script>`,
	`</style><img src=x onerror=alert(1)>`,
	`"><svg onload=alert(1)> ' onclick='alert(1)`,
	"\u202egnirts desrever\u202c \u2066isolated",
	"\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd \u0645\u0631\u062d\u0628\u0627",
	"nul \x00 bell \x07 escape \x1b[31m delete \x7f next line \u0085 not UTF-8 \xff\xfe noncharacter \uffff",
	strings.Repeat("longword", 400),
	"zero\u200bwidth \u00ad\u2028line separator",
	"{{.Style}} ${alert(1)} `template` <!-- comment --> ]]> &amp; &#x3c;",
	"a" + strings.Repeat("\u0301\u0323", 50),
}

// hostileDocument has the hostile texts in each place that a target or a person can fill.
func hostileDocument() *report.Document {
	var results []check.Result
	for i, text := range hostileTexts {
		for j, verdict := range []check.Verdict{check.Fail, check.Error, check.Skip, check.Pass} {
			rule := check.Rule{
				ID:           fmt.Sprintf("server/hostile/text-%d-%d", i, j),
				Level:        check.Must,
				Severity:     check.High,
				EachRevision: true,
				Reference:    text,
				Sentence:     text,
				Covers:       []string{text},
			}
			result := resultOf(rule, check.R20251125, verdict)
			result.Exchanges = []string{text, "GET /\n" + text}
			switch verdict {
			case check.Fail:
				result.Err = &check.Mismatch{Want: text, Got: text, Insecure: true, Exchange: text}
			case check.Error:
				result.Err = &check.CannotJudge{Reason: text}
			case check.Skip:
				result.Err = &check.Skipped{Reason: text}
			}
			results = append(results, result)
		}
	}
	all := strings.Join(hostileTexts, " ")
	run := report.Run{
		Target:  all,
		Program: all,
		Command: all,
		Again:   func(check.Result) string { return all },
		Change:  func(string) string { return all },
	}
	document := report.New(run, results)
	// A document can come from a file of another program, so even an ID can be anything.
	for i, text := range hostileTexts {
		document.Results[i].ID = text
		document.Results[i].Name = text + "@" + text
		document.Results[i].Role = text
		document.Results[i].Topic = text
		document.Results[i].Revision = check.Revision(text)
		document.Results[i].Level = check.Level(text)
		document.Results[i].Severity = check.Severity(text)
		document.Results[i].Verdict = text
	}
	document.Secure.Answer = report.Answer(all)
	return document
}

// pages are documents of all kinds, by name.
func pages() map[string]*report.Document {
	return map[string]*report.Document{
		"broken":  tokenDocument(),
		"pass":    passDocument(),
		"skips":   skipDocument(),
		"empty":   report.New(report.Run{Target: "node client.js", Interrupted: true}, nil),
		"hostile": hostileDocument(),
	}
}

// written returns the page of a document.
func written(t *testing.T, document *report.Document) []byte {
	t.Helper()
	var page bytes.Buffer
	require.NoError(t, report.WriteHTML(&page, document))
	return page.Bytes()
}

// pageFile writes the page of a document to a file, and returns its path.
func pageFile(t *testing.T, document *report.Document) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.html")
	require.NoError(t, os.WriteFile(file, written(t, document), 0o600))
	return file
}
