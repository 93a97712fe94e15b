package doctor

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
)

// textColumns is the width of the report, in characters. Lines to copy are never broken.
const textColumns = 96

// The colours of a terminal (ECMA-48 SGR), by what they mark.
var colours = map[string]string{
	string(Fault):   "\x1b[1;31m",
	string(Warning): "\x1b[33m",
	string(Fine):    "\x1b[32m",
	"heading":       "\x1b[1m",
}

// A printer writes a report.
type printer struct {
	text    strings.Builder
	colours bool
}

// WriteText writes the report for people. Colours are for terminals.
func (r *Report) WriteText(out io.Writer, withColours bool) error {
	p := &printer{colours: withColours}
	for i, step := range r.Steps {
		p.step(i+1, step)
	}
	if len(r.Settings) > 0 {
		p.settings(r.Settings, r.Notes)
	}
	p.summary(r)
	_, err := io.WriteString(out, p.text.String())
	return err
}

func (p *printer) marked(name, text string) string {
	if !p.colours {
		return text
	}
	return colours[name] + text + "\x1b[0m"
}

func (p *printer) step(number int, step Step) {
	title := strconv.Itoa(number) + ". " + clean(step.Title)
	fmt.Fprintf(&p.text, "%s\n", p.marked("heading", title))
	for _, line := range step.Did {
		p.wrapped("   - ", "     ", clean(line))
	}
	for _, finding := range step.Findings {
		p.finding(finding)
	}
	p.text.WriteString("\n")
}

func (p *printer) finding(finding Finding) {
	kind := fmt.Sprintf("%-8s", finding.Kind)
	fmt.Fprintf(&p.text, "   %s%s\n", p.marked(string(finding.Kind), kind), clean(finding.Code))
	const indent = "           "
	p.wrapped(indent, indent, clean(finding.Seen))
	if finding.Why != "" {
		p.wrapped("     why   ", indent, clean(finding.Why))
	}
	for _, effect := range finding.Effects {
		p.wrapped("     fails ", indent, clean(effect.Client)+": "+clean(effect.How))
	}
	for _, fix := range finding.Fixes {
		p.wrapped("     fix   ", indent, string(fix.Place)+", "+clean(fix.Where))
		if isProse(fix.Text) {
			p.wrapped(indent+"| ", indent+"| ", clean(fix.Text))
			continue
		}
		p.block(indent+"| ", fix.Text)
	}
}

func (p *printer) settings(all []Settings, notes []string) {
	fmt.Fprintf(&p.text, "%s\n", p.marked("heading", "Settings of clients for this server"))
	for _, note := range notes {
		p.wrapped("   ", "   ", clean(note))
	}
	for _, one := range all {
		p.wrapped("   ", "   ", clean(one.Client)+": "+clean(one.File))
		if one.Text != "" {
			p.block("     | ", one.Text)
		}
		if one.Note != "" {
			p.wrapped("     ", "     ", clean(one.Note))
		}
	}
	p.text.WriteString("\n")
}

func (p *printer) summary(r *Report) {
	faults := r.Count(Fault)
	text := fmt.Sprintf("%s, %s", counted(faults, "fault"), counted(r.Count(Warning), "warning"))
	kind := Fine
	switch {
	case !r.Answers:
		text = "the address gives no answer that a client can use"
		kind = Fault
	case faults > 0:
		kind = Fault
	case r.Count(Warning) > 0:
		kind = Warning
	}
	fmt.Fprintf(&p.text, "%s: %s\n", clean(r.Subject), p.marked(string(kind), text))
}

func counted(number int, noun string) string {
	if number == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(number) + " " + noun + "s"
}

// isProse reports whether the text of a fix is a sentence, not a line to copy.
func isProse(text string) bool { return strings.HasSuffix(text, ".") && !strings.Contains(text, "\n") }

// block writes lines as they are, to be copied.
func (p *printer) block(indent, text string) {
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		p.text.WriteString(indent + cleanIndented(line) + "\n")
	}
}

// wrapped writes a text, broken at blanks.
func (p *printer) wrapped(first, indent, text string) {
	line := first
	isEmpty := true
	for _, word := range strings.Fields(text) {
		if !isEmpty && columns(line)+1+columns(word) > textColumns {
			p.text.WriteString(line + "\n")
			line = indent
			isEmpty = true
		}
		if !isEmpty {
			line += " "
		}
		line += word
		isEmpty = false
	}
	p.text.WriteString(line + "\n")
}

func columns(text string) int { return len([]rune(text)) }

// cleanIndented is clean for a line whose tabs are its indentation.
func cleanIndented(line string) string {
	rest := strings.TrimLeft(line, "\t")
	return strings.Repeat("    ", len(line)-len(rest)) + clean(rest)
}

// clean replaces characters that control a terminal, and bytes that are no UTF-8.
func clean(text string) string {
	var cleaned strings.Builder
	for _, r := range text {
		if r != unicode.ReplacementChar && unicode.IsGraphic(r) {
			cleaned.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRuneToASCII(r)
		cleaned.WriteString(quoted[1 : len(quoted)-1])
	}
	return cleaned.String()
}
