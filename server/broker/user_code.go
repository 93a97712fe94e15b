package broker

import (
	"fmt"
	"io"
	"strings"
)

// userCodeLetters are the letters of user codes. Without vowels they form no words, and people do
// not take one for another (RFC 8628 section 6.1).
const userCodeLetters = "BCDFGHJKLMNPQRSTVWXZ"

const (
	// userCodeLength makes 52 bits. A right code counts whatever else was typed before, so its
	// length alone has to stop guesses (RFC 8628 section 5.1).
	userCodeLength = 12
	userCodeGroup  = 4
)

// newUserCode returns a random user code without dashes.
func (b *Broker) newUserCode() (string, error) {
	// Only a multiple of the number of letters gives each letter the same chance.
	const fair = 256 / len(userCodeLetters) * len(userCodeLetters)
	var code strings.Builder
	random := make([]byte, 1)
	for code.Len() < userCodeLength {
		if _, err := io.ReadFull(b.config.Rand, random); err != nil {
			return "", fmt.Errorf("broker: no randomness: %w", err)
		}
		if int(random[0]) < fair {
			code.WriteByte(userCodeLetters[int(random[0])%len(userCodeLetters)])
		}
	}
	return code.String(), nil
}

// shownUserCode returns a user code in groups, such as BCDF-GHJK-LMNP.
func shownUserCode(code string) string {
	var groups []string
	for len(code) > userCodeGroup {
		groups = append(groups, code[:userCodeGroup])
		code = code[userCodeGroup:]
	}
	return strings.Join(append(groups, code), "-")
}

// readUserCode returns the user code that a person has typed. The case of letters and everything
// between them do not count. It reports false if no user code is written like that.
func readUserCode(typed string) (string, bool) {
	if len(typed) > maxUserCode {
		return "", false
	}
	code := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return -1
	}, typed)
	isCode := len(code) == userCodeLength && strings.Trim(code, userCodeLetters) == ""
	return code, isCode
}

// maxUserCode bounds what a person types, in bytes.
const maxUserCode = 100
