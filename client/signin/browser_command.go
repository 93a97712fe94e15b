package signin

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// readCommands reads a list of commands, each as words. It leaves out empty ones.
func readCommands(list string) ([][]string, error) {
	var commands [][]string
	for _, command := range splitList(list) {
		words, err := SplitWords(command)
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
			// The address comes from a server, and a shell would run code in it.
			return nil, fmt.Errorf("want %%s as a word of its own, such as sh -c 'firefox \"$1\"' sh %%s, "+
				"got it inside %q, which looks like shell code", words[at])
		}
		commands = append(commands, words)
	}
	return commands, nil
}

// withAddress puts an address into a command's arguments.
func withAddress(arguments []string, address string) []string {
	if !slices.ContainsFunc(arguments, hasPlaceholder) {
		return append(slices.Clone(arguments), address)
	}
	replaced := make([]string, 0, len(arguments))
	for _, word := range arguments {
		replaced = append(replaced, strings.NewReplacer("%%", "%", "%s", address).Replace(word))
	}
	return replaced
}

// hasPlaceholder reports whether %s is in a word.
func hasPlaceholder(word string) bool {
	return strings.Contains(strings.ReplaceAll(word, "%%", ""), "%s")
}

// isShellCode reports whether a word holds %s beside a character that separates words or has a
// meaning in a shell.
func isShellCode(word string) bool {
	return hasPlaceholder(word) && strings.ContainsAny(word, " \t\n'\"$`;&|<>()\\")
}

// splitList splits a list of commands at its separators. A separator does not count inside quotes,
// after a backslash, or before //, as in an address.
func splitList(list string) []string {
	var commands []string
	start := 0
	quote := byte(0)
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case c == '\\' && quote != '\'':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == os.PathListSeparator && !strings.HasPrefix(list[i+1:], "//"):
			commands = append(commands, list[start:i])
			start = i + 1
		}
	}
	return append(commands, list[start:])
}

// SplitWords splits a command line into words. Blanks separate words. Single quotes keep all
// characters, double quotes keep blanks, and a backslash keeps the next character. Variables and
// patterns stay as they are.
func SplitWords(line string) ([]string, error) {
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
		case quote != 0:
			if r == quote {
				quote = 0
			} else {
				word.WriteRune(r)
			}
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
		return nil, fmt.Errorf("a quote or backslash without an end in %q", line)
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}
