package report_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/schematest"
	"mcpentra/conformance/report"
)

// hostile is text of a server that tries to break out of every format.
const hostile = "\x00\x1b[2J\x7f\u202e]]></failure><script>alert(1)</script>\r\n::error title=x::y\n" +
	"%0A::error::z <!-- | ` * [a](javascript:b) & \" ' \xff\xfe \u2028\ufffe\U0001f600"

// everyVerdict returns a document with each verdict, all members, and hostile text in each member
// that a target can choose.
func everyVerdict() *report.Document {
	rule := func(id string, level check.Level, severity check.Severity) check.Rule {
		return check.Rule{
			ID:        id,
			Level:     level,
			Severity:  severity,
			Revisions: []check.Revision{check.R20251125},
			Reference: "RFC 7519 section 4.1.4",
			Sentence:  "A token that has expired is refused.",
			Covers:    []string{"RS-012"},
		}
	}
	of := func(rule check.Rule, verdict check.Verdict, err error) check.Result {
		return check.Result{Rule: rule, Verdict: verdict, Err: err}
	}
	worst := &check.Mismatch{
		Want:     "status 401",
		Got:      "status 200 " + hostile,
		Insecure: true,
		Exchange: "POST http://localhost/mcp\n→ 200 OK\n  X: " + hostile + "\n",
		Others:   []*check.Mismatch{{Want: hostile, Got: hostile, Severity: check.Low, Level: check.Should}},
	}
	each := rule("server/token/expired", check.Must, check.Critical)
	each.EachRevision = true
	results := []check.Result{
		{Rule: rule("server/token/good", check.Must, ""), Verdict: check.Pass, Duration: time.Second},
		{
			Rule:      each,
			Revision:  check.R20251125,
			Verdict:   check.Fail,
			Err:       worst,
			Exchanges: []string{hostile},
			Recorded:  3,
			Duration:  1500 * time.Millisecond,
		},
		of(rule("server/token/status", check.Must, check.High), check.Fail,
			&check.Mismatch{Want: "status 401", Got: "status 500"}),
		of(rule("server/headers/nosniff", check.Should, ""), check.Warn,
			&check.Mismatch{Want: "a header", Got: hostile}),
		of(rule("server/limits/body", check.Policy, check.Low), check.Note,
			&check.Mismatch{Want: "a limit", Got: "none"}),
		of(rule("authorization-server/metadata/found", check.Must, ""), check.Skip,
			&check.Skipped{Reason: "needs " + hostile}),
		of(rule("server/token/huge", check.Must, check.Medium), check.Error,
			&check.CannotJudge{Reason: hostile + strings.Repeat("x", 1<<16)}),
	}
	return report.New(report.Run{
		Kind:     "server",
		Target:   "http://localhost:8000/mcp",
		Program:  "v1.2.3",
		Command:  "mcp-auth-conformance server http://localhost:8000/mcp",
		Began:    time.Date(2026, 11, 30, 1, 2, 3, 0, time.UTC),
		Duration: 4500 * time.Millisecond,
		Again:    func(result check.Result) string { return "mcp-auth-conformance server --only " + result.Name() },
		Change:   func(string) string { return "Read exp, and refuse the token after it." },
		IsKnown:  func(result check.Result) bool { return result.Rule.ID == "server/token/status" },
	}, results)
}

// jsonOf returns the JSON form of a document.
func jsonOf(t *testing.T, document *report.Document) []byte {
	t.Helper()
	var text bytes.Buffer
	require.NoError(t, report.WriteJSON(&text, document))
	return text.Bytes()
}

// TestJSONMatchesSchema also wants each member in the schema.
func TestJSONMatchesSchema(t *testing.T) {
	t.Parallel()
	schema, err := schematest.Closed(report.Schema())
	require.NoError(t, err)
	for name, document := range map[string]*report.Document{
		"every verdict": everyVerdict(),
		"no results":    report.New(report.Run{Kind: "client"}, nil),
	} {
		assert.NoError(t, schema.Validate(string(jsonOf(t, document))), name)
	}
}

// TestSchemaRefuses shows that the schema can refuse.
func TestSchemaRefuses(t *testing.T) {
	t.Parallel()
	schema, err := schematest.Open(report.Schema())
	require.NoError(t, err)
	for old, changed := range map[string]string{
		`"version": 1`:        `"version": 2`,
		`"kind": "server"`:    `"kind": "x"`,
		`"verdict": "fail"`:   `"verdict": "failed"`,
		`"answer": "no"`:      `"answer": "maybe"`,
		`"level": "MUST"`:     `"level": "must"`,
		`"began": "2026-`:     `"began": "6-`,
		`"results": [`:        `"outcomes": [`,
		`"duration_ms": 4500`: `"duration_ms": -1`,
		`"sentence"`:          `"text"`,
	} {
		text := strings.Replace(string(jsonOf(t, everyVerdict())), old, changed, 1)
		assert.Error(t, schema.Validate(text), changed)
	}
}

func TestReadJSONReadsWhatWriteJSONWrites(t *testing.T) {
	t.Parallel()
	written := jsonOf(t, everyVerdict())
	document, err := report.ReadJSON(bytes.NewReader(written))
	require.NoError(t, err)
	assert.Equal(t, string(written), string(jsonOf(t, document)))
	newer := strings.Replace(string(written), `"kind"`, `"author": {"name": "x"}, "kind"`, 1)
	_, err = report.ReadJSON(strings.NewReader(newer))
	assert.NoError(t, err, "a member that is not known")
}

func TestReadJSONRefuses(t *testing.T) {
	t.Parallel()
	written := string(jsonOf(t, everyVerdict()))
	replaced := func(old, changed string) string {
		require.Contains(t, written, old)
		return strings.Replace(written, old, changed, 1)
	}
	for _, test := range []struct{ name, text, want string }{
		{"nothing", "", "want a JSON report: "},
		{"another format", "<testsuites/>", "want a JSON report: "},
		{"an array", "[]", "want a JSON report: "},
		{"other JSON", "{}", `the member "version"`},
		{"a later version", replaced(`"version": 1`, `"version": 2`), "want a JSON report of version 1, got version 2"},
		{"a version in words", replaced(`"version": 1`, `"version": "1"`), "want a JSON report: "},
		{"a member twice", replaced(`"kind"`, `"kind": "server", "kind"`), "duplicate"},
		{"text after the report", written + "{}", "want a JSON report: "},
		{"half a report", written[:len(written)/2], "want a JSON report: "},
		{"invalid UTF-8", replaced("status 200", "status \xff"), "UTF-8"},
		{"another kind", replaced(`"kind": "server"`, `"kind": "proxy"`), `kind: want one of ["server"`},
		{"another verdict", replaced(`"verdict": "fail"`, `"verdict": "broken"`), `results[1]: verdict: want one of`},
		{"another level", replaced(`"level": "SHOULD"`, `"level": "MAY"`), "level: want one of"},
		{"another risk", replaced(`"risk": "critical"`, `"risk": "grave"`), "risk: want one of"},
		{"no name", replaced(`"name": "server/token/good"`, `"name": ""`), "results[0]: want an id and a name"},
		{"one name twice", replaced(`"name": "server/token/status"`, `"name": "server/token/good"`), "is there twice"},
		{"wrong counts", replaced(`"pass": 1`, `"pass": 7`), "counts: want the numbers of the results"},
		{"an unknown answer", replaced(`"answer": "no"`, `"answer": "maybe"`), "want one of"},
		{"numbers below 0", replaced(`"exchanges_recorded": 3`, `"exchanges_recorded": -3`), "want numbers from 0"},
		{"deep nesting", `{"version":1,"x":` + strings.Repeat("[", 1<<20), "want a JSON report: "},
		{"too much", strings.Repeat(" ", report.MaxJSON+1), "at most 33554432 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := report.ReadJSON(strings.NewReader(test.text))
			require.ErrorContains(t, err, test.want)
			assert.Less(t, len(err.Error()), 500)
		})
	}
}

func FuzzReadJSON(f *testing.F) {
	var text bytes.Buffer
	if err := report.WriteJSON(&text, everyVerdict()); err != nil {
		f.Fatal(err)
	}
	f.Add(text.Bytes())
	f.Fuzz(func(t *testing.T, text []byte) {
		document, err := report.ReadJSON(bytes.NewReader(text))
		if err == nil && !json.Valid(jsonOf(t, document)) {
			t.Error("the JSON of a document that was read is not valid")
		}
	})
}
