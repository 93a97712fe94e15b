package workstation

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// browserCommands reads the value of BROWSER as the client does: a list of commands, each as words.
// It leaves out empty ones.
func browserCommands(list string, separator byte) ([][]string, error) {
	var commands [][]string
	for _, command := range splitList(list, separator) {
		words, err := splitWords(command)
		if err != nil {
			return nil, err
		}
		if len(words) == 0 {
			continue
		}
		if words[0] == "" || hasPlaceholder(words[0]) {
			return nil, fmt.Errorf("want a program first, and %%s in its arguments alone, got %q", command)
		}
		if at := slices.IndexFunc(words, isShellCode); at >= 0 {
			return nil, fmt.Errorf("want %%s as a word of its own, got it inside %q, which looks like shell code",
				words[at])
		}
		commands = append(commands, words)
	}
	return commands, nil
}

// hasPlaceholder reports whether %s, the address of the page, is in a word.
func hasPlaceholder(word string) bool {
	return strings.Contains(strings.ReplaceAll(word, "%%", ""), "%s")
}

func isShellCode(word string) bool {
	return hasPlaceholder(word) && strings.ContainsAny(word, " \t\n'\"$`;&|<>()\\")
}

// splitList splits a list of commands. A separator inside quotes, after a backslash or before //
// does not count.
func splitList(list string, separator byte) []string {
	var commands []string
	start := 0
	quote := byte(0)
	for i := 0; i < len(list); i++ {
		c := list[i]
		switch {
		case c == '\\' && quote != '\'':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == separator && !strings.HasPrefix(list[i+1:], "//"):
			commands = append(commands, list[start:i])
			start = i + 1
		}
	}
	return append(commands, list[start:])
}

// splitWords splits a command into words, with the quotes and backslashes of a shell.
func splitWords(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord := false
	quote := rune(0)
	isEscaped := false
	for _, r := range line {
		switch {
		case isEscaped:
			word.WriteRune(r)
			isEscaped = false
		case r == '\\' && quote != '\'':
			isEscaped = true
			inWord = true
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote = r
			inWord = true
		case r == ' ' || r == '\t' || r == '\n':
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	if quote != 0 || isEscaped {
		return nil, errors.New("a quote or backslash without an end")
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}
