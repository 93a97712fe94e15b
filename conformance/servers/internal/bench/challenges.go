package bench

import (
	"fmt"
	"regexp"
	"strings"
)

// An AuthChallenge is one challenge of any scheme (RFC 9110 section 11.6.1).
type AuthChallenge struct {
	Scheme     string
	Parameters Challenge // by name in lower case
	Text       string    // of the header field
}

// The pieces of a list of challenges. A comma separates challenges as well as parameters, so only
// the next piece tells which it was.
var (
	schemeName  = regexp.MustCompile("^([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:[ ]+|[ \t]*$|[ \t]*,)")
	token68     = regexp.MustCompile(`^([-._~+/0-9A-Za-z]+=*)[ \t]*(,|$)`)
	oneOf       = regexp.MustCompile("^([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*")
	quotedValue = regexp.MustCompile(`^"((?:[^"\\]|\\.)*)"`)
	plainValue  = regexp.MustCompile("^([!#$%&'*+.^_`|~0-9A-Za-z-]+)")
)

// ParseChallenges parses the challenges of one field line. The error quotes
// the malformed piece.
func ParseChallenges(line string) ([]AuthChallenge, error) {
	if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r > '~' }) {
		return nil, fmt.Errorf("characters that are not printable ASCII")
	}
	var all []AuthChallenge
	rest := skipCommas(line)
	for rest != "" {
		name := schemeName.FindStringSubmatch(rest)
		if name == nil {
			return nil, fmt.Errorf("a scheme expected at %q", rest)
		}
		challenge := AuthChallenge{Scheme: name[1], Parameters: Challenge{}, Text: line}
		rest = strings.TrimLeft(rest[len(name[1]):], " \t")
		if found := token68.FindStringSubmatch(rest); found != nil {
			all = append(all, challenge)
			rest = skipCommas(rest[len(found[1]):])
			continue
		}
		var err error
		rest, err = readParameters(rest, challenge.Parameters)
		if err != nil {
			return nil, err
		}
		all = append(all, challenge)
	}
	return all, nil
}

// readParameters reads parameters up to the next challenge, and returns the rest.
func readParameters(text string, into Challenge) (rest string, err error) {
	rest = text
	for {
		name := oneOf.FindStringSubmatch(rest)
		if name == nil {
			return skipCommas(rest), nil
		}
		key := strings.ToLower(name[1])
		if _, twice := into[key]; twice {
			return "", fmt.Errorf("the parameter %s twice", key)
		}
		rest = rest[len(name[0]):]
		value := quotedValue.FindStringSubmatch(rest)
		if value == nil {
			value = plainValue.FindStringSubmatch(rest)
		}
		if value == nil {
			return "", fmt.Errorf("a value expected at %q", rest)
		}
		into[key] = quotedPair.ReplaceAllString(value[1], "$1")
		rest = strings.TrimLeft(rest[len(value[0]):], " \t")
		if rest != "" && rest[0] != ',' {
			return "", fmt.Errorf("a comma expected at %q", rest)
		}
		rest = skipCommas(rest)
	}
}

// skipCommas removes blanks and empty elements of a list.
func skipCommas(text string) string { return strings.TrimLeft(text, " \t,") }
