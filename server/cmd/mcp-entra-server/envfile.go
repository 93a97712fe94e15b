package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxEnvFile bounds the settings file in bytes.
const maxEnvFile = 1 << 20

// An envLine is one KEY=value line of the settings file.
type envLine struct {
	key, value string
	number     int
	literal    bool // in single quotes: a dollar sign is part of the value
}

// readEnvFile reads the settings file. Only a file named by --env must exist.
func readEnvFile(name string, named bool) ([]envLine, error) {
	file, err := os.Open(name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !named:
		return nil, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("--env: the file %s does not exist: copy .env.example, or run fakeentra "+
			"--write-env %[1]s", name)
	case err != nil:
		return nil, fmt.Errorf("%s cannot be read as a settings file: %w", name, err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxEnvFile+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s cannot be read as a settings file: %w", name, err)
	case len(text) > maxEnvFile:
		return nil, fmt.Errorf("%s is longer than 1 MiB, so it is not a settings file", name)
	}
	return parseEnv(name, text)
}

// parseEnv reads KEY=value lines. It replaces no variables. Its errors quote no value, because that
// may be a secret.
func parseEnv(name string, text []byte) ([]envLine, error) {
	if bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")) ||
		bytes.IndexByte(text, 0) >= 0 {
		return nil, fmt.Errorf("%s is not UTF-8 text: save it as UTF-8 "+
			"(PowerShell: Set-Content -Encoding utf8; Notepad: Save as, Encoding UTF-8)", name)
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // the byte order mark of Windows programs
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	text = bytes.ReplaceAll(text, []byte("\r"), []byte("\n"))
	lines := []envLine{} // not nil, because there is a file
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		read, err := parseEnvLine(line)
		if err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", name, i+1, err)
		}
		read.number = i + 1
		lines = append(lines, read)
	}
	return lines, nil
}

var (
	keyName    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)
	exportWord = regexp.MustCompile(`^export[ \t]+`)
	comment    = regexp.MustCompile(`[ \t]#.*$`)
	noValue    = regexp.MustCompile(`^[ \t]+#|^#[ \t]`) // a comment alone
)

func parseEnvLine(line string) (envLine, error) {
	line = exportWord.ReplaceAllString(line, "")
	key, rest, found := strings.Cut(line, "=")
	key = strings.TrimSpace(key)
	switch {
	case !utf8.ValidString(line):
		return envLine{}, fmt.Errorf("%s has bytes that are not UTF-8: save the file as UTF-8", lineOf(key))
	case !found:
		first := line[:min(len(line), strings.IndexAny(line+" ", " \t:"))]
		return envLine{}, fmt.Errorf("%s has no equals sign: write KEY=value", lineOf(first))
	case !keyName.MatchString(key):
		return envLine{}, errors.New("the name before the equals sign has characters besides letters, digits " +
			"and _: write KEY=value")
	}
	value, literal, err := parseEnvValue(rest)
	if err != nil {
		return envLine{}, fmt.Errorf("%s %w", lineOf(key), err)
	}
	return envLine{key: key, value: value, literal: literal}, nil
}

// lineOf names a line by its key if that is a setting. Any other text may be part of a secret.
func lineOf(key string) string {
	if slices.Contains(keys, key) {
		return key
	}
	return "the line"
}

var errQuote = errors.New("has a quote that is not closed on the same line: close it, or put a value " +
	`that contains quotes between the other kind, '…' or "…"`)

// parseEnvValue reads the text after the equals sign, as a shell would: plain, in single or in
// double quotes.
func parseEnvValue(text string) (value string, literal bool, err error) {
	var rest string
	blank := noValue.MatchString(text)
	text = strings.TrimLeft(text, " \t")
	switch {
	case strings.HasPrefix(text, "'"):
		value = text[1:]
		rest = ""
		literal = true
		// A shell writes a single quote between single quotes as '\''.
		var parts []string
		for value, rest, literal = strings.Cut(value, "'"); literal && strings.HasPrefix(rest, `\''`); {
			parts = append(parts, value)
			value, rest, literal = strings.Cut(rest[3:], "'")
		}
		if !literal {
			return "", false, errQuote
		}
		value = strings.Join(append(parts, value), "'")
	case strings.HasPrefix(text, `"`):
		value, rest, err = parseDoubleQuoted(text[1:])
		if err != nil {
			return "", false, err
		}
	case blank:
		return "", false, nil
	default:
		return strings.TrimSpace(comment.ReplaceAllString(text, "")), false, nil
	}
	rest = strings.TrimSpace(rest)
	if rest != "" && !strings.HasPrefix(rest, "#") {
		return "", false, errors.New("goes on after the closing quote: put the whole value between quotes")
	}
	return value, literal, nil
}

var errBackslash = errors.New(`has a backslash between double quotes: write \\ for it, or use single quotes`)

// parseDoubleQuoted reads up to the closing quote.
func parseDoubleQuoted(text string) (value, rest string, err error) {
	var read strings.Builder
	for i := 0; i < len(text); i++ {
		switch b := text[i]; b {
		case '"':
			return read.String(), text[i+1:], nil
		case '\\':
			i++
			if i == len(text) || !strings.ContainsRune(`"\`, rune(text[i])) {
				return "", "", errBackslash
			}
			read.WriteByte(text[i])
		default:
			read.WriteByte(b)
		}
	}
	return "", "", errQuote
}
