package signin

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"runtime"
	"strings"

	"mcpentra/client/discovery"
)

// CheckPage says why an authorization page is not opened: a browser is given https addresses, and http ones on loopback, and nothing else.
func CheckPage(address string) error {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Host == "" || parsed.User != nil || strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("the authorization page's address is not one that a browser should be given")
	}
	if parsed.Scheme != "https" && !(parsed.Scheme == "http" && discovery.IsLoopback(parsed.Hostname())) {
		return fmt.Errorf("the authorization page is neither https nor http on a loopback address, but %q", printable(parsed.Scheme+"://"+parsed.Host))
	}
	return nil
}

// OpenWith is a Browser that runs a command with the address as its last argument. No shell sees it. The words of the command are split as a shell would split them; an empty
// command is the system's own way to open a page.
func OpenWith(command string) (Browser, error) {
	words, err := SplitWords(command)
	if err != nil {
		return nil, fmt.Errorf("BROWSER: %w", err)
	}
	if len(words) == 0 {
		words = systemOpener()
	}
	return func(ctx context.Context, address string) error {
		if err := CheckPage(address); err != nil {
			return err
		}
		run := exec.Command(words[0], append(words[1:len(words):len(words)], address)...)
		if err := run.Start(); err != nil {
			return fmt.Errorf("the browser could not be started (open the address yourself with --no-browser): %w", err)
		}
		ended := make(chan error, 1)
		go func() { ended <- run.Wait() }()
		var err error
		select {
		case err = <-ended:
		case <-ctx.Done(): // the browser is the person's, and stays open
		}
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return fmt.Errorf("the browser %q ended with status %d before there was an answer", words[0], exit.ExitCode())
		}
		return nil
	}, nil
}

func systemOpener() []string {
	switch runtime.GOOS {
	case "darwin":
		return []string{"open"}
	case "windows":
		return []string{"rundll32", "url.dll,FileProtocolHandler"}
	}
	return []string{"xdg-open"}
}

// SplitWords splits a command line into words: blanks separate, single quotes keep everything, double quotes keep blanks, a backslash keeps the next character. Nothing is
// expanded.
func SplitWords(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord, quote := false, rune(0)
	escaped := false
	for _, r := range line {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			escaped, inWord = true, true
		case quote != 0:
			if r == quote {
				quote = 0
			} else {
				word.WriteRune(r)
			}
		case r == '\'' || r == '"':
			quote, inWord = r, true
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
	if quote != 0 || escaped {
		return nil, fmt.Errorf("a quote or backslash without an end in %q", line)
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}
