package bench

import (
	"fmt"
	"regexp"
	"strings"
)

// Challenge is a Bearer challenge (RFC 6750 section 3).
type Challenge map[string]string

// The grammar of a challenge's parameters (RFC 9110 section 11.2): name=token or name="quoted". It
// is written as expressions, so that it has nothing in common with any client's parser.
var (
	scheme    = regexp.MustCompile(`(?i)^(?:.*?[^=]\s*,\s*)?bearer(?:[ \t]+(.*))?$`)
	parameter = regexp.MustCompile(
		"^[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ " +
			"\t]*(?:\"((?:[^\"\\\\]|\\\\.)*)\"|([!#$%&'*+.^_`|~0-9A-Za-z-]+))[ \t]*(,|$)",
	)
)

// Challenge parses the answer's first Bearer challenge.
func (p *Probe) Challenge(answer *Answer) (Challenge, error) {
	lines := answer.Header.Values("WWW-Authenticate")
	for _, line := range lines {
		if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r > '~' }) {
			return nil, p.Mismatch("a challenge of printable ASCII", fmt.Sprintf("%q", line))
		}
		match := scheme.FindStringSubmatch(line)
		if match == nil {
			continue
		}
		found := Challenge{}
		rest := match[1]
		for strings.TrimSpace(rest) != "" {
			part := parameter.FindStringSubmatch(rest)
			if part == nil {
				if len(found) > 0 && regexp.MustCompile(`^[ \t]*[A-Za-z]+([ \t]|$)`).MatchString(rest) {
					break // another scheme behind
				}
				return nil, p.Mismatch("challenge parameters as in RFC 9110 section 11.2", fmt.Sprintf("%q", line))
			}
			name := strings.ToLower(part[1])
			if _, twice := found[name]; twice {
				return nil, p.Mismatch("each challenge parameter once", name+" twice")
			}
			found[name] = part[3]
			if part[3] == "" {
				found[name] = regexp.MustCompile(`\\(.)`).ReplaceAllString(part[2], "$1")
			}
			rest = rest[len(part[0]):]
		}
		if len(found) == 0 {
			return nil, p.Mismatch("a Bearer challenge with at least one parameter", fmt.Sprintf("%q", line))
		}
		return found, nil
	}
	return nil, p.Mismatch("a WWW-Authenticate header with a Bearer challenge", fmt.Sprintf("%q", lines))
}
