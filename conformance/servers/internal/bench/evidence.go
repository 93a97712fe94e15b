package bench

import (
	"cmp"
	"encoding/base64"
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

// A report shows a bounded part of an exchange, because the server under test chooses its length.
const (
	maxShown  = 300     // bytes of one value
	maxRecord = 8 << 10 // bytes of one exchange
	minSecret = 8       // bytes; masking a shorter credential, such as a test's "x", would hide half a report
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
	for _, credential := range credentials {
		if len(credential) >= minSecret {
			s.sent[credential] = true
		}
	}
}

// mask replaces the credentials in a value. It replaces the longest first, because a shorter one
// may be part of it.
func (s *secrets) mask(value string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []string
	for credential := range s.sent {
		if strings.Contains(value, credential) {
			found = append(found, credential)
		}
	}
	slices.SortFunc(found, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	for _, credential := range found {
		value = strings.ReplaceAll(value, credential, "…")
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
	for _, values := range request.Header {
		for _, value := range values {
			words := strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(` ,;="{}`, r) })
			p.secrets.add(slices.DeleteFunc(words, p.secrets.isAbsentFrom)...)
		}
	}
}

// isAbsentFrom reports whether a word is not the base64 encoding of a credential, with or without
// other text.
func (s *secrets) isAbsentFrom(word string) bool {
	standard := strings.NewReplacer("-", "+", "_", "/").Replace(word)
	decoded, err := base64.RawStdEncoding.DecodeString(standard)
	return err != nil || s.mask(string(decoded)) == string(decoded)
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
		_, size := utf8.DecodeRuneInString(value[i:])
		if isValid := r != utf8.RuneError || size > 1; isValid && unicode.IsGraphic(r) {
			text.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRuneToASCII(r)
		text.WriteString(quoted[1 : len(quoted)-1])
	}
	return text.String()
}
