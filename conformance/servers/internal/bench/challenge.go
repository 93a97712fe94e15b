package bench

import (
	"fmt"
	"regexp"
	"strings"
)

// Challenge holds the parameters of a Bearer challenge by name (RFC 6750 section 3).
type Challenge map[string]string

// The grammar of challenges (RFC 9110 section 11.2): each parameter is name=token or name="quoted".
// It is written as regular expressions, so that it shares no mistake with a client's parser.
var (
	scheme    = regexp.MustCompile(`(?i)^(?:.*?[^=]\s*,\s*)?bearer(?:[ \t]+(.*))?$`)
	parameter = regexp.MustCompile(
		"^[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*" +
			"(?:\"((?:[^\"\\\\]|\\\\.)*)\"|([!#$%&'*+.^_`|~0-9A-Za-z-]+))[ \t]*(,|$)",
	)
	anotherScheme = regexp.MustCompile(`^[ \t]*[A-Za-z]+([ \t]|$)`)
	quotedPair    = regexp.MustCompile(`\\(.)`)
)

// Challenge parses the answer's first Bearer challenge.
func (p *Probe) Challenge(answer *Answer) (Challenge, error) {
	lines := answer.Header.Values("WWW-Authenticate")
	for _, line := range lines {
		if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r > '~' }) {
			return nil, p.Mismatch("a challenge of printable ASCII", fmt.Sprintf("%q", line))
		}
		if match := scheme.FindStringSubmatch(line); match != nil {
			return p.challengeParameters(line, match[1])
		}
	}
	return nil, p.Mismatch("a WWW-Authenticate header with a Bearer challenge", fmt.Sprintf("%q", lines))
}

// challengeParameters parses the parameters of a challenge, up to another scheme in the same line.
func (p *Probe) challengeParameters(line, text string) (Challenge, error) {
	found := Challenge{}
	for strings.TrimSpace(text) != "" {
		part := parameter.FindStringSubmatch(text)
		if part == nil && len(found) > 0 && anotherScheme.MatchString(text) {
			break
		}
		if part == nil {
			return nil, p.Mismatch("challenge parameters as in RFC 9110 section 11.2", fmt.Sprintf("%q", line))
		}
		name := strings.ToLower(part[1])
		if _, twice := found[name]; twice {
			return nil, p.Mismatch("each challenge parameter once", name+" twice")
		}
		found[name] = part[3]
		if part[3] == "" {
			found[name] = quotedPair.ReplaceAllString(part[2], "$1")
		}
		text = text[len(part[0]):]
	}
	if len(found) == 0 {
		return nil, p.Mismatch("a Bearer challenge with at least one parameter", fmt.Sprintf("%q", line))
	}
	return found, nil
}
