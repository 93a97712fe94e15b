package doctor

import "strings"

// mostChallenges bounds the challenges of an answer.
const mostChallenges = 10

// A challenge is one of WWW-Authenticate (RFC 9110 section 11.6.1).
type challenge struct {
	scheme     string
	parameters map[string]string // by names in lower case
}

// readChallenges reads the challenges of an answer. It ignores what it cannot read.
func readChallenges(headers []string) []challenge {
	var all []challenge
	rest := strings.Join(headers, ", ")
	rest = rest[:min(len(rest), maxAddress)]
	for len(all) < mostChallenges {
		rest = strings.TrimLeft(rest, " \t,")
		word, after := token(rest)
		if word == "" {
			return all
		}
		trimmed := strings.TrimLeft(after, " \t")
		if value, found := strings.CutPrefix(trimmed, "="); found && len(all) > 0 {
			text, remaining := parameterValue(strings.TrimLeft(value, " \t"))
			current := all[len(all)-1].parameters
			if name := strings.ToLower(word); current[name] == "" {
				current[name] = text
			}
			rest = remaining
			continue
		}
		all = append(all, challenge{scheme: word, parameters: map[string]string{}})
		rest = after
	}
	return all
}

// token cuts a token off a text (RFC 9110 section 5.6.2).
func token(text string) (word, rest string) {
	isOther := func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r) }
	end := strings.IndexFunc(text, isOther)
	if end < 0 {
		end = len(text)
	}
	return text[:end], text[end:]
}

// parameterValue cuts a token or a quoted string off a text.
func parameterValue(text string) (value, rest string) {
	quoted, found := strings.CutPrefix(text, `"`)
	if !found {
		end := strings.IndexAny(text, ", \t")
		if end < 0 {
			end = len(text)
		}
		return text[:end], text[end:]
	}
	var read strings.Builder
	for i := 0; i < len(quoted); i++ {
		switch quoted[i] {
		case '"':
			return read.String(), quoted[i+1:]
		case '\\':
			if i+1 < len(quoted) {
				i++
			}
		}
		read.WriteByte(quoted[i])
	}
	return read.String(), ""
}
