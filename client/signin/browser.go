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
	"mcpentra/client/internal/printable"
)

// A Browser opens an authorization page for a person. It may block until the browser ends. Its
// error ends the sign-in, unless it is a *NotOpenedError.
type Browser func(ctx context.Context, address string) error

// A NotOpenedError says that no browser was opened. The person can still open the page, so the
// sign-in goes on.
type NotOpenedError struct{ Err error }

func (e *NotOpenedError) Error() string { return "no browser was opened: " + e.Err.Error() }

// Unwrap returns the reason.
func (e *NotOpenedError) Unwrap() error { return e.Err }

// CheckPage returns an error unless a browser may open an authorization page: its address has to be
// https, or http on loopback.
func CheckPage(address string) error {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Host == "" || parsed.User != nil || strings.ContainsFunc(address, isNotVisible) {
		// The error does not show the address: a person could open it.
		return errors.New("the authorization page has an unsafe address, which is not shown: " +
			"want an absolute URL without user information and blanks; tell the server's operator")
	}
	if parsed.Scheme != "https" && !(parsed.Scheme == "http" && discovery.IsLoopback(parsed.Hostname())) {
		return fmt.Errorf(
			"the authorization page is neither https nor http on a loopback address, but %q",
			printable.Text(parsed.Scheme+"://"+parsed.Host),
		)
	}
	return nil
}

func isNotVisible(r rune) bool { return r <= ' ' || r > '~' }

// OpenWith returns a Browser that runs a command. It reads commands as xdg-open reads $BROWSER: a
// list with colons between (semicolons on Windows). The first command that works counts.
//
// The address replaces %s in a command, where %% is a per cent sign. Without %s it becomes the last
// argument. Each command is split into words as a shell would split it; no shell runs it. An empty
// list means the system's own command.
//
// The Browser's error is a *NotOpenedError if no command could be started, or if the system's own
// command failed.
func OpenWith(list string) (Browser, error) {
	commands, err := readCommands(list)
	if err != nil {
		return nil, fmt.Errorf("BROWSER: %w", err)
	}
	isSystem := len(commands) == 0
	if isSystem {
		commands = [][]string{systemCommand()}
	}
	return func(ctx context.Context, address string) error {
		if err := CheckPage(address); err != nil {
			return err
		}
		var failures error
		anyStarted := false
		for _, words := range commands {
			started, err := open(ctx, words, address)
			if err == nil || ctx.Err() != nil {
				return nil
			}
			failures = errors.Join(failures, err)
			anyStarted = anyStarted || started
		}
		if isSystem || !anyStarted {
			return &NotOpenedError{failures}
		}
		return failures
	}, nil
}

// systemCommand returns the operating system's command that opens a page.
func systemCommand() []string {
	switch runtime.GOOS {
	case "darwin":
		return []string{"open"}
	case "windows":
		return []string{"rundll32", "url.dll,FileProtocolHandler"}
	}
	return []string{"xdg-open"}
}

// open runs one command until it or the context ends. It reports whether the command was started.
func open(ctx context.Context, words []string, address string) (started bool, err error) {
	run := exec.Command(words[0], withAddress(words[1:], address)...)
	if err := run.Start(); err != nil {
		return false, fmt.Errorf("%q could not be started: %w", words[0], err)
	}
	ended := make(chan error, 1)
	go func() { ended <- run.Wait() }()
	select {
	case err = <-ended:
	case <-ctx.Done(): // the browser stays open for the person
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		status := exit.ExitCode()
		return true, fmt.Errorf("the browser %q ended with status %d before the response came", words[0], status)
	}
	return true, nil
}
