package bench

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// What is shown of an exchange is bounded, in bytes: the server under test chooses it.
const (
	maxShown  = 300     // of one value
	maxRecord = 8 << 10 // of one exchange
	minSecret = 8       // shorter credentials are words such as a test's "x", which would black out half a report
)

// secrets are the credentials that a probe or a clone of it has sent. No report shows them.
type secrets struct {
	mu   sync.Mutex
	sent map[string]bool
}

func newSecrets() *secrets { return &secrets{sent: map[string]bool{}} }

func (s *secrets) add(credentials ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range credentials {
		if len(one) >= minSecret {
			s.sent[one] = true
		}
	}
}

// mask replaces the credentials in a value. It replaces the longest first, because a shorter one
// may be part of it.
func (s *secrets) mask(value string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []string
	for one := range s.sent {
		if strings.Contains(value, one) {
			found = append(found, one)
		}
	}
	slices.SortFunc(found, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	for _, one := range found {
		value = strings.ReplaceAll(value, one, "…")
	}
	return value
}

// remember notes the credentials of a request, so that an answer that repeats them does not carry
// them into a report.
func (p *Probe) remember(request *http.Request) {
	for _, value := range request.Header.Values("Authorization") {
		_, credentials, _ := strings.Cut(value, " ")
		p.secrets.add(credentials)
	}
	for _, values := range request.URL.Query() {
		p.secrets.add(values...)
	}
}

// record describes an exchange for a report, without credentials and bodies.
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

// shown prepares a value for a report: one bounded line without credentials and without characters
// that control a terminal.
func (p *Probe) shown(value string) string {
	value = p.secrets.mask(value)
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
