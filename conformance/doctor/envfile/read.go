package envfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// mostBytes bounds the settings file.
const mostBytes = 1 << 20

// A setting is one KEY=value line.
type setting struct {
	key   string
	value string
	line  int
	// isLiteral says that the value is in single quotes, so a dollar sign is part of it.
	isLiteral bool
}

// A lineError is a line that cannot be read. Its text quotes no value.
type lineError struct {
	line    int
	key     string // "" if the line has no known name
	problem string
}

// readFile reads a file of at most mostBytes.
func readFile(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, mostBytes+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > mostBytes:
		return nil, fmt.Errorf("%s has more than %d bytes, so it is not a settings file", name, mostBytes)
	}
	return text, nil
}

// isText reports whether a file is UTF-8 and not UTF-16.
func isText(text []byte) bool {
	isUTF16 := bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff"))
	return !isUTF16 && bytes.IndexByte(text, 0) < 0
}

var byteOrderMark = []byte("\ufeff")

// parse reads the lines of a file. It goes on after a line that cannot be read.
func parse(text []byte) (settings []setting, wrong []lineError) {
	text = bytes.TrimPrefix(text, byteOrderMark)
	plain := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(text))
	for i, line := range strings.Split(plain, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		read, problem := parseLine(line)
		if problem != "" {
			wrong = append(wrong, lineError{i + 1, read.key, problem})
			continue
		}
		read.line = i + 1
		settings = append(settings, read)
	}
	return settings, wrong
}

var (
	exported = regexp.MustCompile(`^export[ \t]+`)
	name     = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)
)

// parseLine reads one line. After a problem, the setting has the name alone, and only a known one.
func parseLine(line string) (setting, string) {
	line = exported.ReplaceAllString(line, "")
	key, rest, found := strings.Cut(line, "=")
	key = strings.TrimSpace(key)
	if !found {
		key = line[:strings.IndexAny(line+" ", " \t:")]
	}
	known := setting{}
	if slices.Contains(keys, key) {
		known.key = key
	}
	switch {
	case !utf8.ValidString(line):
		return known, "has bytes that are not UTF-8"
	case !found:
		return known, "has no equals sign"
	case !name.MatchString(key):
		return known, "has a name with characters besides letters, digits and _"
	}
	value, isLiteral, err := parseValue(rest)
	if err != nil {
		return known, err.Error()
	}
	return setting{key: key, value: strings.TrimSpace(value), isLiteral: isLiteral}, ""
}

var (
	errQuote     = errors.New("has a quote that is not closed on the same line")
	errAfter     = errors.New("goes on after the closing quote")
	errBackslash = errors.New("has a backslash between double quotes")
)

// parseValue reads the text after the equals sign, as a shell would.
func parseValue(text string) (value string, isLiteral bool, err error) {
	isComment := strings.HasPrefix(strings.TrimLeft(text, " \t"), "#")
	trimmed := strings.TrimLeft(text, " \t")
	isBlankFirst := trimmed != text
	var rest string
	switch {
	case strings.HasPrefix(trimmed, "'"):
		value, rest, err = singleQuoted(trimmed[1:])
		isLiteral = true
	case strings.HasPrefix(trimmed, `"`):
		value, rest, err = doubleQuoted(trimmed[1:])
	case isComment && (isBlankFirst || trimmed == "#" || strings.IndexAny(trimmed, " \t") == 1):
		return "", false, nil
	default:
		return withoutComment(trimmed), false, nil
	}
	rest = strings.TrimSpace(rest)
	if err == nil && rest != "" && !strings.HasPrefix(rest, "#") {
		err = errAfter
	}
	return value, isLiteral, err
}

// withoutComment drops a comment, which begins after a blank.
func withoutComment(text string) string {
	for i := 1; i < len(text); i++ {
		if text[i] == '#' && (text[i-1] == ' ' || text[i-1] == '\t') {
			return strings.TrimSpace(text[:i])
		}
	}
	return strings.TrimSpace(text)
}

// singleQuoted reads up to the closing quote. A shell writes a quote in between as '\”.
func singleQuoted(text string) (value, rest string, err error) {
	for {
		part, after, closed := strings.Cut(text, "'")
		if !closed {
			return "", "", errQuote
		}
		value += part
		next, goesOn := strings.CutPrefix(after, `\''`)
		if !goesOn {
			return value, after, nil
		}
		value += "'"
		text = next
	}
}

// doubleQuoted reads up to the closing quote.
func doubleQuoted(text string) (value, rest string, err error) {
	var read strings.Builder
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			return read.String(), text[i+1:], nil
		case '\\':
			i++
			if i == len(text) || text[i] != '"' && text[i] != '\\' {
				return "", "", errBackslash
			}
		}
		read.WriteByte(text[i])
	}
	return "", "", errQuote
}
