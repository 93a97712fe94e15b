package bench

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
)

// A report shows a bounded part of an exchange, because the server under test chooses its length.
const (
	maxShown  = 300 // bytes of one value
	maxFields = 60  // header fields of one exchange
	minSecret = 8   // bytes; masking a shorter value would hide half a report
)

// secrets are the credentials of a check. No report shows them.
type secrets struct {
	mu    sync.Mutex
	known []string
}

func (s *secrets) add(credentials ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, credential := range credentials {
		if len(credential) >= minSecret && !slices.Contains(s.known, credential) {
			s.known = append(s.known, credential)
		}
	}
	// The longest first, because a shorter one may be part of it.
	slices.SortStableFunc(s.known, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
}

func (s *secrets) mask(value string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, credential := range s.known {
		value = strings.ReplaceAll(value, credential, "…")
	}
	return value
}

// secretParameters are the parameters of forms and queries that no report shows.
var secretParameters = []string{
	"code", "code_verifier", "client_secret", "refresh_token", "access_token", "token", "device_code", "password",
}

// remember notes the credentials in a form or a query.
func (s *secrets) remember(values url.Values) {
	for _, name := range secretParameters {
		s.add(values[name]...)
	}
}

// record describes an exchange for a report, without bodies.
func (p *Probe) record(request *http.Request, response *http.Response) string {
	var text strings.Builder
	address := *request.URL
	query := address.Query()
	for _, name := range secretParameters {
		if query.Has(name) {
			query.Set(name, "…")
			address.RawQuery = query.Encode()
		}
	}
	fmt.Fprintf(&text, "%s %s\n", request.Method, p.shown(address.String()))
	p.writeHeader(&text, request.Header)
	fmt.Fprintf(&text, "→ %s\n", p.shown(response.Status))
	p.writeHeader(&text, response.Header)
	return text.String()
}

func (p *Probe) writeHeader(text *strings.Builder, header http.Header) {
	names := slices.Sorted(maps.Keys(header))
	for _, name := range names[:min(maxFields, len(names))] {
		for _, value := range header[name] {
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
	var text strings.Builder
	for _, r := range p.secrets.mask(strings.ToValidUTF8(value, "\uFFFD")) {
		if text.Len() >= maxShown {
			text.WriteString("…")
			break
		}
		if unicode.IsGraphic(r) {
			text.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRuneToASCII(r)
		text.WriteString(quoted[1 : len(quoted)-1])
	}
	return text.String()
}
