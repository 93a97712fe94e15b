package discovery

import (
	"errors"
	"maps"
	"net/http"
	"strings"
)

// A Challenge is one of a response's WWW-Authenticate challenges (RFC 9110 section 11.6.1).
type Challenge struct {
	Scheme string            // in lower case
	Params map[string]string // names in lower case
}

// maxChallenges bounds the WWW-Authenticate headers of one response in bytes, and the challenges
// and parameters in them.
const (
	maxChallengeBytes = 16 << 10
	maxChallenges     = 32
	maxParams         = 32
)

// ErrTooLong says that the WWW-Authenticate headers of a response are longer than anybody should
// read.
var ErrTooLong = errors.New("discovery: the WWW-Authenticate header is too long")

var errChallenge = errors.New("discovery: the WWW-Authenticate header is not well formed")

// ParseChallenges reads all WWW-Authenticate headers of a response, in time that grows with their
// length. What follows a mistake is not read.
func ParseChallenges(header http.Header) ([]Challenge, error) {
	var all []Challenge
	size := 0
	for _, line := range header.Values("WWW-Authenticate") {
		if size += len(line); size > maxChallengeBytes {
			return all, ErrTooLong
		}
		s := scanner{text: line}
		for s.skipSeparators(); !s.done(); s.skipSeparators() {
			one, ok := s.challenge()
			if !ok || len(all) == maxChallenges {
				return all, errChallenge
			}
			all = append(all, one)
		}
	}
	return all, nil
}

// First is the first challenge of a scheme, which is given in lower case, or nil.
func First(challenges []Challenge, scheme string) *Challenge {
	for i := range challenges {
		if challenges[i].Scheme == scheme {
			return &challenges[i]
		}
	}
	return nil
}

// Token is the challenge that says which token is wanted: the first Bearer challenge, or else the
// first DPoP challenge (RFC 9449 section 7.1), or nil. Challenges that name different metadata name
// none.
func Token(challenges []Challenge) *Challenge {
	wanted := First(challenges, "bearer")
	if wanted == nil {
		wanted = First(challenges, "dpop")
	}
	if wanted == nil {
		return nil
	}
	for _, other := range challenges {
		at, names := other.Params[addressParam]
		if names && other.Scheme == wanted.Scheme && at != wanted.Params[addressParam] {
			one := Challenge{Scheme: wanted.Scheme, Params: maps.Clone(wanted.Params)}
			delete(one.Params, addressParam)
			return &one
		}
	}
	return wanted
}

// A scanner reads a header from left to right and never goes back further than one token.
type scanner struct {
	text string
	at   int
}

func (s *scanner) done() bool { return s.at >= len(s.text) }

func (s *scanner) peek() byte {
	if s.done() {
		return 0
	}
	return s.text[s.at]
}

func (s *scanner) skipSeparators() {
	for !s.done() && strings.IndexByte(" \t,", s.text[s.at]) >= 0 {
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
	begin := s.at
	for !s.done() && isTokenByte(s.text[s.at]) {
		s.at++
	}
	return s.text[begin:s.at]
}

func isTokenByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		c != 0 && strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// addressParam is where protected resource metadata is (RFC 9728 section 5.1).
const addressParam = "resource_metadata"

// challenge reads a scheme and its parameters, up to the next scheme. An address that is not well
// formed, or one of two, is left out. The other parameters still say which scopes are missing.
func (s *scanner) challenge() (Challenge, bool) {
	one := Challenge{Scheme: strings.ToLower(s.token()), Params: map[string]string{}}
	addresses := 0
	if one.Scheme == "" || !s.done() && strings.IndexByte(" \t,", s.peek()) < 0 {
		return one, false
	}
	if s.token68() {
		return one, true // no scheme that is used here has one
	}
	for {
		s.skipSeparators()
		begin := s.at
		name := strings.ToLower(s.token())
		if name == "" {
			return one, s.done()
		}
		s.skipBlanks()
		if s.peek() != '=' {
			s.at = begin // the scheme of the next challenge
			return one, true
		}
		s.at++
		s.skipBlanks()
		if name == addressParam {
			value := s.address()
			if addresses++; addresses == 1 && value != "" {
				one.Params[name] = value
			} else {
				delete(one.Params, name)
			}
			continue
		}
		value, ok := s.value()
		if _, twice := one.Params[name]; !ok || twice || len(one.Params) >= maxParams {
			return one, false
		}
		one.Params[name] = value
	}
}

// token68 skips the other form that a challenge can have (RFC 9110 section 11.2), if that is what
// comes, up to the comma.
func (s *scanner) token68() bool {
	begin := s.at
	s.skipBlanks()
	from := s.at
	for isTokenByte(s.peek()) || s.peek() == '/' {
		s.at++
	}
	if s.at > from {
		for s.peek() == '=' {
			s.at++
		}
		if s.skipBlanks(); s.done() || s.peek() == ',' {
			return true
		}
	}
	s.at = begin
	return false
}

// address reads the value of addressParam. It is empty if the value is not well formed, or in
// single quotes. Such a value ends at the next comma or blank.
func (s *scanner) address() string {
	begin := s.at
	value, ok := s.value()
	if ok && s.text[begin] != '\'' && s.ended() {
		return value
	}
	s.at = begin
	for !s.ended() {
		s.at++
	}
	return ""
}

// ended reports whether a value ends here.
func (s *scanner) ended() bool { return s.done() || strings.IndexByte(" \t,", s.text[s.at]) >= 0 }

// singleQuoted reads a string in single quotes, which some servers write. One with a comma or a
// double quote in it is none, and an apostrophe may also stand in a token.
func (s *scanner) singleQuoted() (string, bool) {
	if s.peek() != '\'' {
		return "", false
	}
	length := strings.IndexAny(s.text[s.at+1:], `',"`)
	if length < 0 || s.text[s.at+1+length] != '\'' {
		return "", false
	}
	begin := s.at
	value := s.text[begin+1 : begin+1+length]
	s.at += length + 2
	if !s.ended() {
		s.at = begin
		return "", false
	}
	return value, true
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
	begin := s.at
	escaped := false
	for ; !s.done() && s.text[s.at] != '"'; s.at++ {
		if s.text[s.at] == '\\' {
			escaped = true
			s.at++
		}
	}
	if s.done() {
		return "", false
	}
	quoted := s.text[begin:s.at]
	s.at++
	if !escaped {
		return quoted, true
	}
	var value strings.Builder
	value.Grow(len(quoted))
	for i := 0; i < len(quoted); i++ {
		if quoted[i] == '\\' {
			i++
		}
		value.WriteByte(quoted[i])
	}
	return value.String(), true
}
