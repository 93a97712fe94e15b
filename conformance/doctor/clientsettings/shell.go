package clientsettings

import (
	"regexp"
	"strings"
)

// plain matches words that mean themselves in POSIX shells and in PowerShell.
var plain = regexp.MustCompile(`^[A-Za-z0-9_./:=-]+$`)

// shellLine returns a command line. The words have no single quotes, so single quotes around them
// work in POSIX shells and in PowerShell.
func shellLine(words ...string) string {
	quoted := make([]string, 0, len(words))
	for _, word := range words {
		if !plain.MatchString(word) {
			word = "'" + word + "'"
		}
		quoted = append(quoted, word)
	}
	return strings.Join(quoted, " ")
}

// flag returns the words of a flag. A value with a hyphen first would look like another flag.
func flag(name, value string) []string {
	if strings.HasPrefix(value, "-") {
		return []string{name + "=" + value}
	}
	return []string{name, value}
}
