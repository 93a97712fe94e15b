package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"unicode"

	"mcpentra/conformance/servers/signin"
)

// openPage runs $BROWSER without a shell. The page replaces %s, or becomes the last argument.
// Without $BROWSER, openPage prints the address.
func openPage(ctx context.Context, page string) error {
	words, err := splitWords(os.Getenv("BROWSER"))
	if err != nil {
		return fmt.Errorf("BROWSER: %w", err)
	}
	if len(words) == 0 {
		fmt.Fprintf(os.Stderr, "Open this page to sign in:\n%s\n", page)
		return nil
	}
	if parsed, err := url.Parse(page); err != nil || parsed.Scheme != "http" && parsed.Scheme != "https" {
		return errors.New("want an http or https URL as authorization page")
	}
	at := slices.Index(words, "%s")
	if at < 1 {
		at = len(words)
		words = append(words, page)
	}
	words[at] = page
	run := exec.CommandContext(ctx, words[0], words[1:]...)
	err = run.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == exitRefused {
		return &signin.Refused{Step: "authorization", Description: "BROWSER ended with status 3"}
	}
	if err != nil {
		return fmt.Errorf("BROWSER: the command failed: %w", err)
	}
	return nil
}

// splitWords splits a command at blanks. Quoted text stays in one word.
func splitWords(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord := false
	quote := rune(0)
	for _, r := range line + " " {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote = r
			inWord = true
		case !unicode.IsSpace(r):
			word.WriteRune(r)
			inWord = true
		case inWord:
			words = append(words, word.String())
			word.Reset()
			inWord = false
		}
	}
	if quote != 0 {
		return nil, errors.New("want a command with closed quotes, got an open quote")
	}
	return words, nil
}
