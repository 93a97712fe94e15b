package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// The measures of a badge, in pixels.
const (
	badgeHeight   = 20
	badgeBaseline = 14
	badgePadding  = 7
	badgeGap      = 2
	// badgeTen is the width of ten characters, on average.
	badgeTen = 65
)

// badgeLabel is the text at the left of a badge.
const badgeLabel = "MCP authorization"

// badgeColours are the backgrounds of the answers. White text on each, and on badgeDark, has a
// contrast of more than 5 to 1.
var badgeColours = map[Answer]string{
	Yes:     "#1a7f37",
	No:      "#b42318",
	Unknown: "#57606a",
}

const badgeDark = "#24292f"

// WriteBadge writes a badge as SVG: whether the target is secure, and whether it conforms.
func WriteBadge(out io.Writer, document *Document) error {
	parts := []struct{ text, colour string }{
		{badgeLabel, badgeDark},
		{"secure: " + string(document.Secure.Answer), badgeColours[document.Secure.Answer]},
		{"conformant: " + string(document.Conformant.Answer), badgeColours[document.Conformant.Answer]},
	}
	var shapes strings.Builder
	width := 0
	for _, part := range parts {
		length := badgeTen * utf8.RuneCountInString(part.text) / 10
		fmt.Fprintf(&shapes, `  <rect x="%d" width="%d" height="%d" fill="%s"/>`+"\n",
			width, length+2*badgePadding, badgeHeight, part.colour)
		fmt.Fprintf(&shapes, `  <text x="%d" y="%d" textLength="%d">%s</text>`+"\n",
			width+badgePadding, badgeBaseline, length, part.text)
		width += length + 2*badgePadding + badgeGap
	}
	title := fmt.Sprintf("%s of %s: %s, %s", badgeLabel, line(document.Target), parts[1].text, parts[2].text)
	var escaped strings.Builder
	if err := xml.EscapeText(&escaped, []byte(title)); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" role="img" `+
		`aria-labelledby="title" fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">
  <title id="title">%s</title>
%s</svg>
`, width-badgeGap, badgeHeight, escaped.String(), shapes.String())
	return err
}
