package discovery

import "strings"

// A scanner reads a WWW-Authenticate header from left to right. It goes back by one token at most.
type scanner struct {
	text string
	at   int
}

// challenge reads a scheme and its parameters, up to the next scheme. It leaves out an address that
// is malformed or repeated: the other parameters still name the missing scopes.
func (s *scanner) challenge() (Challenge, bool) {
	challenge := Challenge{Scheme: strings.ToLower(s.token()), Params: map[string]string{}}
	if challenge.Scheme == "" || !s.atSeparator() {
		return challenge, false
	}
	if s.token68() {
		return challenge, true // the schemes Bearer and DPoP use parameters
	}
	addresses := 0
	for {
		s.skipSeparators()
		start := s.at
		name := strings.ToLower(s.token())
		if name == "" {
			return challenge, s.done()
		}
		s.skipBlanks()
		if s.peek() != '=' {
			s.at = start // the scheme of the next challenge
			return challenge, true
		}
		s.at++
		s.skipBlanks()
		if name == addressParam {
			addresses++
			value := s.address()
			if addresses == 1 && value != "" {
				challenge.Params[name] = value
			} else {
				delete(challenge.Params, name)
			}
			continue
		}
		value, ok := s.value()
		_, isRepeated := challenge.Params[name]
		if !ok || isRepeated || len(challenge.Params) >= maxParams {
			return challenge, false
		}
		challenge.Params[name] = value
	}
}

func (s *scanner) done() bool { return s.at >= len(s.text) }

// peek returns the next byte, or 0 at the end.
func (s *scanner) peek() byte {
	if s.done() {
		return 0
	}
	return s.text[s.at]
}

// atSeparator reports whether a blank, a comma or the end comes next.
func (s *scanner) atSeparator() bool { return s.done() || strings.IndexByte(" \t,", s.text[s.at]) >= 0 }

func (s *scanner) skipSeparators() {
	for !s.done() && s.atSeparator() {
		s.at++
	}
}

func (s *scanner) skipBlanks() {
	for !s.done() && strings.IndexByte(" \t", s.text[s.at]) >= 0 {
		s.at++
	}
}

// token reads a token (RFC 9110 section 5.6.2), or "".
func (s *scanner) token() string {
	start := s.at
	for !s.done() && isTokenByte(s.text[s.at]) {
		s.at++
	}
	return s.text[start:s.at]
}

func isTokenByte(c byte) bool {
	isAlphanumeric := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
	return isAlphanumeric || c != 0 && strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// token68 skips a token68 in place of parameters (RFC 9110 section 11.2), up to the comma. It
// reports whether there is one.
func (s *scanner) token68() bool {
	start := s.at
	s.skipBlanks()
	first := s.at
	for isTokenByte(s.peek()) || s.peek() == '/' {
		s.at++
	}
	if s.at > first {
		for s.peek() == '=' {
			s.at++
		}
		s.skipBlanks()
		if s.done() || s.peek() == ',' {
			return true
		}
	}
	s.at = start
	return false
}

// address reads the value of addressParam. It returns "" and skips to the next separator if the
// value is malformed or in single quotes.
func (s *scanner) address() string {
	start := s.at
	value, ok := s.value()
	if ok && s.text[start] != '\'' && s.atSeparator() {
		return value
	}
	s.at = start
	for !s.atSeparator() {
		s.at++
	}
	return ""
}

// value reads a token or a quoted string.
func (s *scanner) value() (string, bool) {
	if value, ok := s.singleQuoted(); ok {
		return value, true
	}
	if s.peek() != '"' {
		value := s.token()
		return value, value != ""
	}
	s.at++
	start := s.at
	isEscaped := false
	for ; !s.done() && s.text[s.at] != '"'; s.at++ {
		if s.text[s.at] == '\\' {
			isEscaped = true
			s.at++
		}
	}
	if s.done() {
		return "", false
	}
	quoted := s.text[start:s.at]
	s.at++
	if isEscaped {
		return unescape(quoted), true
	}
	return quoted, true
}

// unescape replaces quoted pairs by their second byte (RFC 9110 section 5.6.4).
func unescape(quoted string) string {
	var value strings.Builder
	value.Grow(len(quoted))
	for i := 0; i < len(quoted); i++ {
		if quoted[i] == '\\' {
			i++
		}
		value.WriteByte(quoted[i])
	}
	return value.String()
}

// singleQuoted reads a string in single quotes, which some servers write. It accepts no comma and
// no double quote in the string: an apostrophe may also be part of a token.
func (s *scanner) singleQuoted() (string, bool) {
	if s.peek() != '\'' {
		return "", false
	}
	length := strings.IndexAny(s.text[s.at+1:], `',"`)
	if length < 0 || s.text[s.at+1+length] != '\'' {
		return "", false
	}
	start := s.at
	value := s.text[start+1 : start+1+length]
	s.at += length + 2
	if !s.atSeparator() {
		s.at = start
		return "", false
	}
	return value, true
}
