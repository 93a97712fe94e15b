package exchange

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// MaxRecord is about how many bytes of one exchange a report shows.
const MaxRecord = 8 << 10

// Record describes a request and its response for a report, without credentials and bodies. The
// caller has masked the query of the address.
func (s *Secrets) Record(address string, request *http.Request, response *http.Response) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s %s\n", request.Method, s.Shown(address))
	s.writeHeader(&text, request.Header)
	fmt.Fprintf(&text, "→ %s\n", s.Shown(response.Status))
	s.writeHeader(&text, response.Header)
	return text.String()
}

func (s *Secrets) writeHeader(text *strings.Builder, header http.Header) {
	for _, name := range slices.Sorted(maps.Keys(header)) {
		for _, value := range header[name] {
			if text.Len() > MaxRecord {
				text.WriteString("  …\n")
				return
			}
			if name == "Authorization" || name == "Cookie" || name == "Set-Cookie" {
				value = "…"
			}
			fmt.Fprintf(text, "  %s: %s\n", s.Shown(name), s.Shown(value))
		}
	}
}
