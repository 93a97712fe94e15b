package engine

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What is shown of an exchange is bounded, in bytes: the server under test chooses it.
const (
	maxShown  = 300     // of one value
	maxRecord = 8 << 10 // of one exchange
	minSecret = 8       // shorter credentials are words such as a test's "x", which would black out half a report
)

// remember notes the credentials of a request, so that an answer that repeats them does not carry them into a report.
func (p *Probe) remember(request *http.Request) {
	for _, value := range request.Header.Values("Authorization") {
		_, credentials, _ := strings.Cut(value, " ")
		p.secrets = append(p.secrets, credentials)
	}
	for _, values := range request.URL.Query() {
		p.secrets = append(p.secrets, values...)
	}
}

// record is an exchange as a report shows it: no credentials, no body.
func (p *Probe) record(request *http.Request, response *http.Response) string {
	var text strings.Builder
	address := *request.URL
	if address.RawQuery != "" {
		address.RawQuery = "…"
	}
	fmt.Fprintf(&text, "%s %s\n", request.Method, p.shown(address.String()))
	p.writeHeader(&text, request.Header)
	fmt.Fprintf(&text, "→ %s\n", p.shown(response.Status))
	p.writeHeader(&text, response.Header)
	return text.String()
}

func (p *Probe) writeHeader(text *strings.Builder, header http.Header) {
	for _, name := range slices.Sorted(maps.Keys(header)) {
		for _, value := range header[name] {
			if text.Len() > maxRecord {
				text.WriteString("  …\n")
				return
			}
			if name == "Authorization" || name == "Cookie" || name == "Set-Cookie" {
				value = "…"
			}
			fmt.Fprintf(text, "  %s: %s\n", p.shown(name), p.shown(value))
		}
	}
}

// shown is a value that somebody else chose, as a report may show it: in one line, without anything that a terminal
// obeys, without credentials, and not long.
func (p *Probe) shown(value string) string {
	for _, secret := range p.secrets {
		if len(secret) >= minSecret {
			value = strings.ReplaceAll(value, secret, "…")
		}
	}
	var text strings.Builder
	for i, r := range value {
		if text.Len() >= maxShown {
			text.WriteString("…")
			break
		}
		if _, size := utf8.DecodeRuneInString(value[i:]); unicode.IsGraphic(r) && (r != utf8.RuneError || size > 1) {
			text.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRuneToASCII(r)
		text.WriteString(quoted[1 : len(quoted)-1])
	}
	return text.String()
}
