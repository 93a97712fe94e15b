package console

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"

	"mcpentra/client"
)

const help = `list                  the tools of the server
call <tool> [json]    call a tool, with its arguments as a JSON object
help                  this list
quit                  leave
`

var commands = []string{"list", "call", "help", "quit"}

// maxLine bounds a line that is typed or piped in.
const maxLine = 1 << 20

// Streams are where commands come from and where answers go.
type Streams struct {
	// In is a terminal, or a file or pipe with a command on each line.
	In *os.File
	// Out takes the answers, Err the errors of commands.
	Out, Err io.Writer
	// Interruptible returns a context for one command of a terminal, which Ctrl-C ends. The command
	// is over when the function is called. Nil means that Ctrl-C ends no single command.
	Interruptible func(context.Context) (context.Context, context.CancelFunc)
}

// A CommandError says that a command failed. Its text has been written already.
type CommandError struct{ Err error }

func (e *CommandError) Error() string { return e.Err.Error() }

// Unwrap returns the command's own error.
func (e *CommandError) Unwrap() error { return e.Err }

// Prompt reads commands until the input ends, a person quits, or the context ends. A command that
// fails does not end it, unless a sign-in was refused. Its error is a *CommandError: on a terminal
// for a refused sign-in only, otherwise for the first command that failed.
func Prompt(ctx context.Context, session *Session, streams Streams) error {
	terminal := term.IsTerminal(int(streams.In.Fd()))
	var names []string
	if tools, err := session.Tools(ctx); err == nil {
		for _, tool := range tools {
			names = append(names, tool.Name)
		}
	}
	if saved, err := term.GetState(int(streams.In.Fd())); err == nil {
		// When the context ends, a line may be half typed.
		defer func() { _ = term.Restore(int(streams.In.Fd()), saved) }()
	}
	if !terminal || streams.Interruptible == nil {
		streams.Interruptible = context.WithCancel
	}
	lines := reader(streams.In, streams.Out, names)
	var failed error
	for {
		line, err := next(ctx, lines)
		switch {
		case ctx.Err() != nil && !terminal:
			return cmp.Or(failed, errInterrupted)
		case ctx.Err() != nil, errors.Is(err, errInterrupted):
			fmt.Fprintln(streams.Out, "\nGoodbye.")
			return nil
		case errors.Is(err, io.EOF):
			return failed
		case err != nil:
			return err
		}
		if word := strings.TrimSpace(line); word == "quit" || word == "exit" {
			return failed
		}
		interrupted, err := perform(ctx, session, line, streams)
		if err == nil || interrupted && (terminal || ctx.Err() != nil) {
			continue
		}
		if failed == nil && !terminal {
			failed = &CommandError{err}
		}
		var signIn *client.SignInError
		if errors.As(err, &signIn) {
			return cmp.Or(failed, error(&CommandError{err}))
		}
	}
}

// perform does what a line says, and writes its error. It reports whether Ctrl-C ended the command.
func perform(ctx context.Context, session *Session, line string, streams Streams) (interrupted bool, err error) {
	command, over := streams.Interruptible(ctx)
	defer over()
	err = run(command, session, line, streams.Out)
	if err == nil {
		return false, nil
	}
	if command.Err() == nil && !errors.Is(err, errInterrupted) {
		fmt.Fprintln(streams.Err, Printable(err.Error()))
		return false, err
	}
	if ctx.Err() == nil {
		fmt.Fprintln(streams.Err, "\ninterrupted")
		session.askAgain(err)
	}
	return true, err
}

var errInterrupted = errors.New("interrupted")

// next reads a line without keeping Ctrl-C from ending the program. A read that nobody waits for any more ends with the program.
func next(ctx context.Context, lines func() (string, error)) (string, error) {
	type result struct {
		line string
		err  error
	}
	if err := ctx.Err(); err != nil {
		return "", err // a read that began now would take the terminal from whoever has it next
	}
	read := make(chan result, 1)
	go func() {
		line, err := lines()
		read <- result{line, err}
	}()
	select {
	case got := <-read:
		return got.line, got.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// reader reads lines: on a terminal with a prompt, history and completion, elsewhere as they come. The terminal is raw
// only while a line is typed, so that Ctrl-C ends a call that does not come back.
func reader(in *os.File, out io.Writer, tools []string) func() (string, error) {
	if !term.IsTerminal(int(in.Fd())) {
		scanner := bufio.NewScanner(in)
		scanner.Buffer(nil, maxLine)
		return func() (string, error) {
			if scanner.Scan() {
				return scanner.Text(), nil
			}
			if err := scanner.Err(); err != nil {
				return "", err
			}
			return "", io.EOF
		}
	}
	terminal := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{&interruptible{in: in}, out}, "mcp> ")
	terminal.AutoCompleteCallback = func(line string, at int, key rune) (string, int, bool) {
		if key != '\t' || at != len(line) {
			return "", 0, false
		}
		completed := complete(line, tools)
		return completed, len(completed), true
	}
	return func() (string, error) {
		state, err := term.MakeRaw(int(in.Fd()))
		if err != nil {
			return "", err
		}
		if width, height, err := term.GetSize(int(in.Fd())); err == nil && width > 0 {
			_ = terminal.SetSize(width, height)
		}
		line, err := terminal.ReadLine()
		if restoreErr := term.Restore(int(in.Fd()), state); err == nil {
			err = restoreErr
		}
		if errors.Is(err, io.EOF) {
			fmt.Fprintln(out)
		}
		return line, err
	}
}

// interruptible turns Ctrl-C, which a raw terminal hands on as a character, into an error.
type interruptible struct{ in io.Reader }

func (i *interruptible) Read(buffer []byte) (int, error) {
	n, err := i.in.Read(buffer)
	if slices.Contains(buffer[:n], 3) {
		return 0, errInterrupted
	}
	return n, err
}

// complete extends a line as far as it is unambiguous: a command, or the tool behind call.
func complete(line string, tools []string) string {
	prefix, candidates, given := "", commands, line
	if rest, found := strings.CutPrefix(line, "call "); found {
		prefix, candidates, given = "call ", tools, strings.TrimLeft(rest, " ")
	}
	var fitting []string
	for _, one := range candidates {
		if strings.HasPrefix(one, given) {
			fitting = append(fitting, one)
		}
	}
	if len(fitting) == 0 {
		return line
	}
	common := fitting[0]
	for _, one := range fitting[1:] {
		for !strings.HasPrefix(one, common) {
			common = common[:len(common)-1]
		}
	}
	if len(fitting) == 1 {
		common += " "
	}
	return prefix + common
}

func run(ctx context.Context, session *Session, line string, out io.Writer) error {
	verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	rest = strings.TrimSpace(rest)
	switch verb {
	case "":
		return nil
	case "help", "?":
		_, err := io.WriteString(out, help)
		return err
	case "list":
		return List(ctx, session, out)
	case "call":
		tool, arguments, _ := strings.Cut(rest, " ")
		if tool == "" {
			return errors.New("call needs the name of a tool: call <tool> [json]")
		}
		return Call(ctx, session, tool, strings.TrimSpace(arguments), out)
	}
	if meant := nearest(verb, commands); meant != "" {
		return fmt.Errorf("there is no command %q; did you mean %s?", verb, meant)
	}
	return fmt.Errorf("there is no command %q; the commands are %s", verb, strings.Join(commands, ", "))
}

// List writes the server's tools, numbered.
func List(ctx context.Context, session *Session, out io.Writer) error {
	tools, err := session.Tools(ctx)
	if err != nil {
		return err
	}
	if len(tools) == 0 {
		fmt.Fprintln(out, "The server has no tools for you.")
	}
	for i, tool := range tools {
		fmt.Fprintf(out, "%d. %s\n", i+1, tool.Name)
		if tool.Description != "" {
			fmt.Fprintf(out, "   %s\n", strings.ReplaceAll(tool.Description, "\n", "\n   "))
		}
	}
	return nil
}

// Call calls a tool and writes what it says.
func Call(ctx context.Context, session *Session, tool, arguments string, out io.Writer) error {
	text, err := session.Call(ctx, tool, arguments)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, text)
	return err
}
