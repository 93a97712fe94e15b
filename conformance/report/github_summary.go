package report

import (
	"fmt"
	"html"
	"io"
	"strings"
)

// MaxGitHubSummary bounds the Markdown that GitHub takes as the summary of one step, in bytes.
const MaxGitHubSummary = 1 << 20

// WriteGitHubSummary writes a document as Markdown for $GITHUB_STEP_SUMMARY: both judgements, the
// scores, and each finding with its details. It writes at most room bytes, and names the number of
// findings that are left out.
func WriteGitHubSummary(out io.Writer, document *Document, room int) error {
	var text strings.Builder
	document.summaryHead(&text)
	findings := document.findings()
	if len(findings) > 0 {
		text.WriteString("| verdict | check | level | risk | want | got |\n|---|---|---|---|---|---|\n")
		fill(&text, findings, (*finding).summaryRow, room)
		text.WriteString("\n")
		fill(&text, findings, (*finding).summaryDetails, room)
	}
	if text.Len() > room {
		return fmt.Errorf("want room for a summary, got %d bytes", room)
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// leftOut is the longest text that fill adds after its last row.
const leftOut = 100

// fill adds a row for each finding, as many as there is room for.
func fill(text *strings.Builder, findings []*finding, row func(*finding) string, room int) {
	for i, found := range findings {
		row := row(found)
		if text.Len()+len(row)+2*leftOut > room {
			fmt.Fprintf(text, "\n%d more are left out. The other formats of --report have all.\n", len(findings)-i)
			return
		}
		text.WriteString(row)
	}
}

// summaryHead writes the judgements and the scores.
func (d *Document) summaryHead(text *strings.Builder) {
	fmt.Fprintf(text, "## MCP authorization: %s\n\n", code(d.Target))
	if d.Command != "" {
		fmt.Fprintf(text, "%s\n\n", code(d.Command))
	}
	if d.Interrupted {
		text.WriteString("**The run ended before its last check.**\n\n")
	}
	text.WriteString("| role | revision | secure | conformant |\n|---|---|---|---|\n")
	row := func(role, revision string, secure, conformant Judgement) {
		fmt.Fprintf(text, "| %s | %s | %s | %s |\n", role, revision, secure.cell(), conformant.cell())
	}
	for _, score := range d.Scores {
		row(markdown(score.Role), markdown(string(score.Revision)), score.Secure, score.Conformant)
	}
	row("**all**", "", d.Secure, d.Conformant)
	c := d.Counts
	fmt.Fprintf(text, "\n%d passed, %d failed (%d insecure), %d warned, %d noted, %d skipped, %d errors",
		c.Pass, c.Fail, c.Insecure, c.Warn, c.Note, c.Skip, c.Error)
	if c.Known > 0 {
		fmt.Fprintf(text, "; %d are known from the baseline", c.Known)
	}
	text.WriteString("\n\n")
}

// cell returns a judgement for a table.
func (j Judgement) cell() string {
	marks := map[Answer]string{Yes: "✅ yes", No: "❌ no", Unknown: "❔ unknown"}
	return marks[j.Answer] + ": " + markdown(j.Reason)
}

// summaryRow returns the row of a finding in a table.
func (f *finding) summaryRow() string {
	want := ""
	got := code(f.Reason)
	if len(f.Mismatches) > 0 {
		want = code(f.Mismatches[0].Want)
		got = code(f.Mismatches[0].Got)
	}
	verdict := f.Verdict
	if f.Known {
		verdict += ", known"
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %s |\n",
		verdict, code(f.title()), f.Level, markdown(string(f.Risk)), want, got)
}

// summaryDetails returns all facts about a finding, below a line that opens them.
func (f *finding) summaryDetails() string {
	return fmt.Sprintf("<details><summary>%s</summary>\n\n<pre>%s</pre>\n\n</details>\n\n",
		code(f.Verdict+" "+f.title()), html.EscapeString(printable(f.details())))
}

// maxCell bounds a text in a table or the command, in bytes.
const maxCell = 500

// code returns a text as code on one line. The text may have any characters of Markdown and HTML.
func code(text string) string {
	if text == "" {
		return ""
	}
	text = strings.Join(strings.Fields(printable(bounded(text, maxCell))), " ")
	return "<code>" + markdown(text) + "</code>"
}

// markdown returns a text that Markdown shows as it is. Entities cannot be part of its syntax.
func markdown(text string) string {
	var escaped strings.Builder
	for _, r := range text {
		isPlain := r > '~' || r == ' ' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if isPlain || r == '-' || r == ',' {
			escaped.WriteRune(r)
		} else {
			fmt.Fprintf(&escaped, "&#%d;", r)
		}
	}
	return escaped.String()
}
