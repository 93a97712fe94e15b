package jsonrpc

import "unicode/utf8"

// plainDepth and plainNames bound the texts that isPlain accepts: how deep they are nested, and how
// many names an object has.
const (
	plainDepth = 16
	plainNames = 16
)

// isPlain reports whether a text is a JSON object that is canonical already, so that encoding it
// again would change no byte. Most messages are. If isPlain returns false, the text may still be
// canonical.
func isPlain(text []byte) bool {
	if len(text) == 0 || text[0] != '{' {
		return false
	}
	s := scanner{text: text}
	if !s.object(plainDepth) || s.at != len(text) {
		return false
	}
	return !s.nonASCII || utf8.Valid(text)
}

// A scanner reads a text from left to right. Each method steps over one part of it, and reports
// whether that part is canonical.
type scanner struct {
	text     []byte
	at       int
	nonASCII bool // a byte beyond ASCII was read
}

// next steps over a byte if it is the wanted one.
func (s *scanner) next(b byte) bool {
	if s.at < len(s.text) && s.text[s.at] == b {
		s.at++
		return true
	}
	return false
}

func (s *scanner) value(depth int) bool {
	if s.at == len(s.text) {
		return false
	}
	switch s.text[s.at] {
	case '"':
		return s.quoted(true)
	case '{':
		return s.object(depth)
	case '[':
		return s.array(depth)
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	}
	return s.number()
}

// object compares each name with all names before it, since there are few.
func (s *scanner) object(depth int) bool {
	s.at++
	if s.next('}') {
		return true
	}
	var names [plainNames]struct{ from, to int }
	for n := range names {
		from := s.at
		if !s.quoted(false) {
			return false
		}
		name := s.text[from:s.at]
		for _, other := range names[:n] {
			if string(s.text[other.from:other.to]) == string(name) {
				return false
			}
		}
		names[n].from = from
		names[n].to = s.at
		if !s.next(':') || depth == 1 || !s.value(depth-1) {
			return false
		}
		if s.next('}') {
			return true
		}
		if !s.next(',') {
			return false
		}
	}
	return false
}

func (s *scanner) array(depth int) bool {
	s.at++
	if s.next(']') {
		return true
	}
	for depth > 1 && s.value(depth-1) {
		if s.next(']') {
			return true
		}
		if !s.next(',') {
			return false
		}
	}
	return false
}

// quoted steps over a string. An escape is canonical if the character has no other spelling. Names
// may have no escapes at all, so that equal names are equal bytes.
func (s *scanner) quoted(escapes bool) bool {
	if !s.next('"') {
		return false
	}
	for s.at < len(s.text) {
		b := s.text[s.at]
		s.at++
		switch {
		case b == '"':
			return true
		case b == '\\':
			if !escapes || s.at == len(s.text) || !isOnlySpelling(s.text[s.at]) {
				return false
			}
			s.at++
		case b < ' ':
			return false
		case b >= utf8.RuneSelf:
			s.nonASCII = true
		}
	}
	return false
}

// isOnlySpelling reports whether the canonical encoding spells a character with a backslash and b
// (RFC 8785 section 3.2.2.2).
func isOnlySpelling(b byte) bool {
	switch b {
	case '"', '\\', 'b', 'f', 'n', 'r', 't':
		return true
	}
	return false
}

func (s *scanner) word(word string) bool {
	if len(s.text)-s.at < len(word) || string(s.text[s.at:s.at+len(word)]) != word {
		return false
	}
	s.at += len(word)
	return true
}

// number steps over a number (RFC 8259 section 6). The canonical encoding keeps its spelling.
func (s *scanner) number() bool {
	s.next('-')
	if !s.next('0') && !s.digits() {
		return false
	}
	if s.next('.') && !s.digits() {
		return false
	}
	if s.next('e') || s.next('E') {
		_ = s.next('+') || s.next('-')
		return s.digits()
	}
	return true
}

func (s *scanner) digits() bool {
	from := s.at
	for s.at < len(s.text) && '0' <= s.text[s.at] && s.text[s.at] <= '9' {
		s.at++
	}
	return s.at > from
}
