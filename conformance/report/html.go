package report

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"slices"
	"time"

	"mcpentra/conformance/check"
)

// The parts of the page. It loads nothing else.
var (
	//go:embed html/page.html
	pageText string
	//go:embed html/page.css
	pageStyle string
	//go:embed html/page.js
	pageScript string
)

var pageTemplate = template.Must(template.New("report").Parse(pageText))

// pagePolicy allows the page its own style and its own script. Nothing else runs or loads, whatever
// a server has put into its answers (CSP Level 3 section 2.3.1).
var pagePolicy = fmt.Sprintf(
	"default-src 'none'; style-src %s; script-src %s; img-src data:; base-uri 'none'; form-action 'none'; "+
		"require-trusted-types-for 'script'; trusted-types 'none'",
	hashSource(pageStyle), hashSource(pageScript),
)

// hashSource returns the source of an inline style or script in a policy.
func hashSource(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// WriteHTML writes a document as one HTML page for people. The page has its style and its script in
// itself, and needs no network. Without the script it shows everything, but has no filter and no
// search.
//
// Texts of a target are bounded, and their control characters visible. All exchanges together have
// at most 4 MiB. The worst results keep theirs.
func WriteHTML(out io.Writer, document *Document) error {
	var text bytes.Buffer
	if err := pageTemplate.Execute(&text, newPage(document)); err != nil {
		return fmt.Errorf("html report: %w", err)
	}
	_, err := out.Write(text.Bytes())
	return err
}

// A page holds the values of the template.
type page struct {
	Policy template.HTMLAttr
	Style  template.CSS
	Script template.JS

	*Document
	Day     string
	Took    string
	Trimmed bool // some evidence is left out

	Tally  []tally
	Groups []remarkGroup
	Roles  []*pageRole
	Checks int

	Verdicts   []string
	Revisions  []check.Revision
	Levels     []check.Level
	Severities []check.Severity
}

func newPage(document *Document) *page {
	shown, trimmed := shownDocument(document)
	p := &page{
		Policy:   template.HTMLAttr(`content="` + pagePolicy + `"`),
		Style:    template.CSS(pageStyle),
		Script:   template.JS(pageScript),
		Document: shown,
		Day:      shown.Began,
		Took:     took(shown.Duration),
		Trimmed:  trimmed,
		Tally:    tallies(shown.Counts),
		Groups:   remarkGroups(shown.Results),
		Roles:    pageRoles(shown.Results),
	}
	if began, err := time.Parse(time.RFC3339, shown.Began); err == nil {
		p.Day = ""
		if !began.IsZero() {
			p.Day = began.UTC().Format("2 January 2006, 15:04 UTC")
		}
	}
	for _, role := range p.Roles {
		p.Checks += role.Checks
	}
	for _, verdict := range worstFirst {
		if slices.ContainsFunc(shown.Results, func(r Result) bool { return r.Verdict == verdict }) {
			p.Verdicts = append(p.Verdicts, verdict)
		}
	}
	for _, revision := range check.Revisions() {
		if slices.ContainsFunc(shown.Results, func(r Result) bool { return r.Revision == revision }) {
			p.Revisions = append(p.Revisions, revision)
		}
	}
	for _, level := range []check.Level{check.Must, check.Should, check.Policy} {
		if slices.ContainsFunc(shown.Results, func(r Result) bool { return r.Level == level }) {
			p.Levels = append(p.Levels, level)
		}
	}
	for _, severity := range severities {
		hasSeverity := func(r Result) bool { return r.Severity == severity || r.Risk == severity }
		if slices.ContainsFunc(shown.Results, hasSeverity) {
			p.Severities = append(p.Severities, severity)
		}
	}
	return p
}

// severities are in the order of the page.
var severities = []check.Severity{check.Critical, check.High, check.Medium, check.Low}

// worstFirst are the verdicts in the order of the page. A failure comes before an error, because it
// says something about the target.
var worstFirst = []string{
	check.Fail.String(),
	check.Error.String(),
	check.Warn.String(),
	check.Note.String(),
	check.Pass.String(),
	check.Skip.String(),
}

// rank returns the place of a verdict in the order of the page.
func rank(verdict string) int {
	if i := slices.Index(worstFirst, verdict); i >= 0 {
		return i
	}
	return len(worstFirst)
}

// byWeight orders results: insecure ones first, by the damage, and then by the verdict.
func byWeight(a, b *Result) int {
	return cmp.Or(
		cmp.Compare(riskRank(a), riskRank(b)),
		cmp.Compare(rank(a.Verdict), rank(b.Verdict)),
	)
}

func riskRank(r *Result) int {
	if i := slices.Index(severities, r.Risk); i >= 0 && r.isInsecure() {
		return i
	}
	return len(severities)
}

// A tally is a number of results, with the filter that shows them.
type tally struct {
	Verdict string
	Name    string
	Count   int
	Filter  string
}

func tallies(counts Counts) []tally {
	all := []tally{
		{"fail", "failed", counts.Fail, "verdict=fail"},
		{"insecure", "insecure", counts.Insecure, "verdict=insecure"},
		{"error", "not judged", counts.Error, "verdict=error"},
		{"warn", "warned", counts.Warn, "verdict=warn"},
		{"note", "noted", counts.Note, "verdict=note"},
		{"pass", "passed", counts.Pass, "verdict=pass"},
		{"skip", "skipped", counts.Skip, "verdict=skip"},
	}
	if counts.Known > 0 {
		all = append(all, tally{"known", "known from the baseline", counts.Known, "verdict=known"})
	}
	return all
}

// took returns a duration in milliseconds as people write it.
func took(milliseconds int64) string {
	d := time.Duration(milliseconds) * time.Millisecond
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", milliseconds)
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
}
