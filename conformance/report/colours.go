package report

import "mcpentra/conformance/check"

// Codes of ANSI terminals (ECMA-48, Select Graphic Rendition).
const (
	bold    = "\x1b[1m"
	faint   = "\x1b[2m"
	red     = "\x1b[1;31m"
	green   = "\x1b[32m"
	yellow  = "\x1b[33m"
	magenta = "\x1b[1;35m"
	cyan    = "\x1b[36m"
	plain   = "\x1b[0m"
)

// verdictColours are the colours of the verdicts.
var verdictColours = map[check.Verdict]string{
	check.Skip:  faint,
	check.Pass:  green,
	check.Note:  cyan,
	check.Warn:  yellow,
	check.Fail:  red,
	check.Error: magenta,
}

// answerColours are the colours of the answers of a judgement.
var answerColours = map[Answer]string{Yes: green, No: red, Unknown: yellow}

// coloured returns a text in the colour of a verdict.
func (t *Terminal) coloured(verdict check.Verdict, text string) string {
	return t.in(verdictColours[verdict], text)
}

func (t *Terminal) bold(text string) string { return t.in(bold, text) }

func (t *Terminal) dim(text string) string { return t.in(faint, text) }

// in returns a text in a colour, if the terminal has colours.
func (t *Terminal) in(colour, text string) string {
	if !t.Colours {
		return text
	}
	return colour + text + plain
}
