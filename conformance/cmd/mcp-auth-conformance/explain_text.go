package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// lineWidth is the width of the text that explain prints, in characters.
const lineWidth = 96

// explainHeading prints the heading of a section.
func explainHeading(out io.Writer, text string) { fmt.Fprintf(out, "\n%s\n", text) }

// writeWrapped prints text in lines, each after the indent.
func writeWrapped(out io.Writer, indent, text string) {
	for _, line := range wrap(text, lineWidth-len(indent)) {
		fmt.Fprintf(out, "%s%s\n", indent, line)
	}
}

// writeItem prints text as an item of a list.
func writeItem(out io.Writer, text string) {
	mark := "- "
	for _, line := range wrap(text, lineWidth-4) {
		fmt.Fprintf(out, "  %s%s\n", mark, line)
		mark = "  "
	}
}

// wrap breaks text into lines of at most the width, where there are blanks. A word that is longer
// gets its own line.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	if line == "" {
		return lines
	}
	return append(lines, line)
}
