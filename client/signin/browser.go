package signin

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"

	"mcpentra/client/discovery"
)

// CheckPage says why an authorization page is not opened: a browser is given https addresses, and
// http ones on loopback, and nothing else.
func CheckPage(address string) error {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Host == "" || parsed.User != nil ||
		strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("the authorization page's address is not one that a browser should be given")
	}
	if parsed.Scheme != "https" && !(parsed.Scheme == "http" && discovery.IsLoopback(parsed.Hostname())) {
		return fmt.Errorf(
			"the authorization page is neither https nor http on a loopback address, but %q",
			printable(parsed.Scheme+"://"+parsed.Host),
		)
	}
	return nil
}

// A NotOpenedError says that no browser was opened. A person can still open the page, so there is a
// point in waiting.
type NotOpenedError struct{ Err error }

func (e *NotOpenedError) Error() string { return "no browser was opened: " + e.Err.Error() }

// Unwrap returns the reason.
func (e *NotOpenedError) Unwrap() error { return e.Err }

// OpenWith is a Browser that runs a command. Commands are read as $BROWSER is by xdg-open: a list
// with colons between (semicolons on Windows), of which the first that works is taken. The
// address stands in place of %s in a command (%% is a per cent sign there), or is its last
// argument. Each command is split into words as a shell would split it, and no shell runs it. An
// empty list is the system's own way to open a page. The Browser's error is a *NotOpenedError if
// no command could be started, or if the system's own way failed.
func OpenWith(list string) (Browser, error) {
	commands, err := readBrowsers(list)
	if err != nil {
		return nil, fmt.Errorf("BROWSER: %w", err)
	}
	system := len(commands) == 0
	if system {
		commands = [][]string{systemOpener()}
	}
	return func(ctx context.Context, address string) error {
		if err := CheckPage(address); err != nil {
			return err
		}
		var failed error
		ended := false
		for _, words := range commands {
			started, err := open(ctx, words, address)
			if err == nil || ctx.Err() != nil {
				return nil
			}
			failed = errors.Join(failed, err)
			ended = ended || started
		}
		if system || !ended {
			return &NotOpenedError{failed}
		}
		return failed
	}, nil
}

// open runs one command until it ends or the context does. It reports whether the command was
// started.
func open(ctx context.Context, words []string, address string) (started bool, err error) {
	run := exec.Command(words[0], withAddress(words[1:], address)...)
	if err := run.Start(); err != nil {
		return false, fmt.Errorf("%q could not be started: %w", words[0], err)
	}
	ended := make(chan error, 1)
	go func() { ended <- run.Wait() }()
	select {
	case err = <-ended:
	case <-ctx.Done(): // the browser is the person's, and stays open
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return true, fmt.Errorf("the browser %q ended with status %d before the answer came", words[0], exit.ExitCode())
	}
	return true, nil
}

// withAddress puts an address into a command's arguments.
func withAddress(arguments []string, address string) []string {
	if !slices.ContainsFunc(arguments, holdsPlace) {
		return append(slices.Clone(arguments), address)
	}
	placed := make([]string, 0, len(arguments))
	for _, word := range arguments {
		placed = append(placed, strings.NewReplacer("%%", "%", "%s", address).Replace(word))
	}
	return placed
}

// holdsPlace reports whether %s is in a word.
func holdsPlace(word string) bool { return strings.Contains(strings.ReplaceAll(word, "%%", ""), "%s") }

// readBrowsers reads a list of commands. Empty ones are left out.
func readBrowsers(list string) ([][]string, error) {
	var commands [][]string
	for _, command := range splitList(list) {
		words, err := SplitWords(command)
		if err != nil {
			return nil, err
		}
		if len(words) == 0 {
			continue
		}
		if words[0] == "" || holdsPlace(words[0]) {
			return nil, fmt.Errorf("want a command with %%s among its arguments, got %q", command)
		}
		if at := slices.IndexFunc(words, forAShell); at >= 0 {
			// The address comes from a server, and a shell would run what is in it.
			return nil, fmt.Errorf("%%s stands inside %q, which looks like a line for a shell; "+
				"make it a word of its own, such as sh -c 'firefox \"$1\"' sh %%s", words[at])
		}
		commands = append(commands, words)
	}
	return commands, nil
}

// forAShell reports whether %s is in a word together with what separates words or means something
// to a shell.
func forAShell(word string) bool {
	return holdsPlace(word) && strings.ContainsAny(word, " \t\n'\"$`;&|<>()\\")
}

// splitList splits a list of commands at its separators. One inside quotes or behind a backslash,
// or before //, as in an address, separates nothing.
func splitList(list string) []string {
	var commands []string
	begin := 0
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
			commands = append(commands, list[begin:i])
			begin = i + 1
		}
	}
	return append(commands, list[begin:])
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

// SplitWords splits a command line into words: blanks separate, single quotes keep everything,
// double quotes keep blanks, a backslash keeps the next character. Nothing is expanded.
func SplitWords(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord := false
	quote := rune(0)
	escaped := false
	for _, r := range line {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			escaped = true
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
	if quote != 0 || escaped {
		return nil, fmt.Errorf("a quote or backslash without an end in %q", line)
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}
