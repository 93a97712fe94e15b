package guard

import "unicode/utf8"

const (
	// plainDepth and plainNames bound the texts that isPlain answers for. What is beyond goes the
	// long way.
	plainDepth = 16
	plainNames = 16
)

// isPlain reports whether a text is a strict JSON object that the re-encoding would leave as it is:
// most messages are, and for these nothing has to be decoded and written anew. A false says
// nothing: such a text goes the long way, which has the last word.
func isPlain(text []byte) bool {
	p := plainText{text: text}
	return len(text) > 0 && text[0] == '{' && p.object(plainDepth) && p.at == len(text) &&
		(!p.foreign || utf8.Valid(text))
}

// plainText is a text and how far it has been read. The methods step over one part each, and report
// whether it is plain.
type plainText struct {
	text    []byte
	at      int
	foreign bool // there were bytes beyond ASCII
}

// next steps over a byte, if it is that one.
func (p *plainText) next(b byte) bool {
	if p.at < len(p.text) && p.text[p.at] == b {
		p.at++
		return true
	}
	return false
}

func (p *plainText) value(depth int) bool {
	if p.at == len(p.text) {
		return false
	}
	switch p.text[p.at] {
	case '"':
		return p.quoted(true)
	case '{':
		return p.object(depth)
	case '[':
		return p.array(depth)
	case 't':
		return p.word("true")
	case 'f':
		return p.word("false")
	case 'n':
		return p.word("null")
	}
	return p.number()
}

// object compares each name with those before it: there are few.
func (p *plainText) object(depth int) bool {
	p.at++
	if p.next('}') {
		return true
	}
	var names [plainNames]struct{ from, to int }
	for n := range names {
		from := p.at
		if !p.quoted(false) {
			return false
		}
		name := p.text[from:p.at]
		for _, other := range names[:n] {
			if string(p.text[other.from:other.to]) == string(name) {
				return false
			}
		}
		names[n].from = from
		names[n].to = p.at
		if !p.next(':') || depth == 1 || !p.value(depth-1) {
			return false
		}
		if p.next('}') {
			return true
		}
		if !p.next(',') {
			return false
		}
	}
	return false
}

func (p *plainText) array(depth int) bool {
	p.at++
	if p.next(']') {
		return true
	}
	for depth > 1 && p.value(depth-1) {
		if p.next(']') {
			return true
		}
		if !p.next(',') {
			return false
		}
	}
	return false
}

// quoted is a string. Escapes are plain where they are the only spelling; in names they are not, so
// that equal names are equal bytes.
func (p *plainText) quoted(escapes bool) bool {
	if !p.next('"') {
		return false
	}
	for p.at < len(p.text) {
		b := p.text[p.at]
		p.at++
		switch {
		case b == '"':
			return true
		case b == '\\':
			if !escapes || p.at == len(p.text) || !onlySpelling(p.text[p.at]) {
				return false
			}
			p.at++
		case b < ' ':
			return false
		case b >= utf8.RuneSelf:
			p.foreign = true
		}
	}
	return false
}

// onlySpelling reports whether a backslash and b are how the re-encoding spells something (RFC 8785
// section 3.2.2.2).
func onlySpelling(b byte) bool {
	switch b {
	case '"', '\\', 'b', 'f', 'n', 'r', 't':
		return true
	}
	return false
}

func (p *plainText) word(word string) bool {
	if len(p.text)-p.at < len(word) || string(p.text[p.at:p.at+len(word)]) != word {
		return false
	}
	p.at += len(word)
	return true
}

// number is one of RFC 8259 section 6. The re-encoding leaves numbers as they are.
func (p *plainText) number() bool {
	p.next('-')
	if !p.next('0') && !p.digits() {
		return false
	}
	if p.next('.') && !p.digits() {
		return false
	}
	if p.next('e') || p.next('E') {
		_ = p.next('+') || p.next('-')
		return p.digits()
	}
	return true
}

func (p *plainText) digits() bool {
	from := p.at
	for p.at < len(p.text) && '0' <= p.text[p.at] && p.text[p.at] <= '9' {
		p.at++
	}
	return p.at > from
}
