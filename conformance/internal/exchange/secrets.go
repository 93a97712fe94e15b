package exchange

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// A report shows a bounded part of an exchange, because the peer under test chooses its length.
const (
	maxShown = 300 // bytes of one value
	// MinSecret is the length of the shortest credential that is masked, in bytes. Masking a
	// shorter one, for example a test's "x", would hide half a report.
	MinSecret = 8
)

// Secrets are the credentials that checks have sent or received. No report shows them. The zero
// value has none. It is safe for concurrent use.
type Secrets struct {
	mu    sync.Mutex
	known map[string]bool
}

// Add adds credentials.
func (s *Secrets) Add(credentials ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		s.known = map[string]bool{}
	}
	for _, credential := range credentials {
		if len(credential) >= MinSecret {
			s.known[credential] = true
		}
	}
}

// Mask replaces the credentials in a value. It replaces the longest first, because a shorter one
// may be part of it.
func (s *Secrets) Mask(value string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []string
	for credential := range s.known {
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

// Shown prepares a value for a report: one bounded line without credentials and without characters
// that control a terminal.
func (s *Secrets) Shown(value string) string {
	value = s.Mask(value)
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
