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

// help is the answer to the command help.
const help = `list                      list the server's tools and their parameters
describe <tool>           explain a tool and its parameters
call <tool> [name=value]  call a tool; a value may be 'in quotes', or JSON for a list or an object
call <tool> {json}        call a tool, with its arguments as a JSON object
help                      show this list
quit                      leave; Ctrl-C during a call only ends the call
`

var commands = []string{"list", "describe", "call", "help", "quit"}

// maxLine bounds a typed or piped line, in bytes.
const maxLine = 1 << 20

// Streams connect a prompt to its input and output.
type Streams struct {
	// In is a terminal, or a file or pipe with one command on each line.
	In *os.File
	// Out receives the answers.
	Out io.Writer
	// Err receives the errors of commands.
	Err io.Writer
	// Interruptible returns a context for one command of a terminal. Ctrl-C ends the context. The
	// prompt calls the function when the command is over. Nil means that Ctrl-C ends no single
	// command.
	Interruptible func(context.Context) (context.Context, context.CancelFunc)
}

// A CommandError reports that a command failed. Its text has already been written.
type CommandError struct{ Err error }

func (e *CommandError) Error() string { return e.Err.Error() }

// Unwrap returns the command's own error.
func (e *CommandError) Unwrap() error { return e.Err }

// Prompt reads commands until the input ends, a person quits, or the context ends. A failed command
// does not end it, unless a sign-in was refused. The error is a *CommandError. A terminal returns
// one only for a refused sign-in; a script returns the first command's that failed.
func Prompt(ctx context.Context, session *Session, streams Streams) error {
	terminal := term.IsTerminal(int(streams.In.Fd()))
	_, _ = session.Tools(ctx) // for completion; a command reports the error
	if saved, err := term.GetState(int(streams.In.Fd())); err == nil {
		// A line may be half typed when the context ends.
		defer func() { _ = term.Restore(int(streams.In.Fd()), saved) }()
	}
	if !terminal || streams.Interruptible == nil {
		streams.Interruptible = context.WithCancel
	}
	readLine := lineReader(streams.In, streams.Out, session)
	var failed error
	for {
		line, err := awaitLine(ctx, readLine)
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

// perform runs a command and writes its error. It reports whether Ctrl-C ended the command.
func perform(ctx context.Context, session *Session, line string, streams Streams) (interrupted bool, err error) {
	command, end := streams.Interruptible(ctx)
	defer end()
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

// awaitLine reads a line, and returns early if the context ends. An abandoned read ends with the
// program.
func awaitLine(ctx context.Context, readLine func() (string, error)) (string, error) {
	type result struct {
		line string
		err  error
	}
	if err := ctx.Err(); err != nil {
		return "", err // an abandoned read would take input from the terminal's next program
	}
	read := make(chan result, 1)
	go func() {
		line, err := readLine()
		read <- result{line, err}
	}()
	select {
	case r := <-read:
		return r.line, r.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// lineReader returns a function that reads lines. A terminal has a prompt, history and completion.
// It is raw only while a line is typed, so that Ctrl-C can end a running call.
func lineReader(in *os.File, out io.Writer, session *Session) func() (string, error) {
	if !term.IsTerminal(int(in.Fd())) {
		return scriptReader(in)
	}
	terminal := term.NewTerminal(readWriter{&interruptible{in: in}, out}, "mcp> ")
	terminal.AutoCompleteCallback = func(line string, at int, key rune) (string, int, bool) {
		if key != '\t' || at != len(line) {
			return "", 0, false
		}
		completed := complete(line, session.listed())
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

// scriptReader returns a function that reads the lines of a file or pipe.
func scriptReader(in io.Reader) func() (string, error) {
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

// readWriter joins the two sides of a terminal.
type readWriter struct {
	io.Reader
	io.Writer
}

// interruptible returns an error for Ctrl-C, which a raw terminal passes on as a character.
type interruptible struct{ in io.Reader }

func (i *interruptible) Read(buffer []byte) (int, error) {
	const ctrlC = 3
	n, err := i.in.Read(buffer)
	if slices.Contains(buffer[:n], ctrlC) {
		return 0, errInterrupted
	}
	return n, err
}

// run runs the command in a line.
func run(ctx context.Context, session *Session, line string, out io.Writer) error {
	verb, rest := cutWord(line)
	switch verb {
	case "":
		return nil
	case "help", "?":
		_, err := io.WriteString(out, help)
		return err
	case "list":
		return List(ctx, session, out)
	case "describe":
		if rest == "" {
			return errors.New("describe needs the name of a tool: describe <tool>; list shows the tools")
		}
		return Describe(ctx, session, rest, out)
	case "call":
		tool, arguments := cutWord(rest)
		if tool == "" {
			return errors.New("call needs the name of a tool: call <tool> [name=value]; list shows the tools")
		}
		return Call(ctx, session, tool, arguments, out)
	}
	if tool, found := findTool(session.listed(), verb); found {
		return fmt.Errorf("%s is a tool; to call it, type: call %s", tool.Name, strings.TrimSpace(tool.Name+" "+rest))
	}
	if meant := Nearest(verb, commands); meant != "" {
		return fmt.Errorf("there is no command %q; did you mean %s?", verb, meant)
	}
	if tool := nearestTool(verb, session.listed()); tool != "" {
		return fmt.Errorf("there is no command %q; did you mean the tool %s? Type: call %s", verb, tool, tool)
	}
	return fmt.Errorf("there is no command %q; the commands are %s", verb, strings.Join(commands, ", "))
}

// cutWord splits a line after its first word.
func cutWord(line string) (word, rest string) {
	line = strings.TrimSpace(line)
	at := strings.IndexAny(line, " \t")
	if at < 0 {
		return line, ""
	}
	return line[:at], strings.TrimSpace(line[at:])
}

// List writes the server's tools, numbered, with their parameters.
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
			fmt.Fprintf(out, "   %s\n", indented(tool.Description))
		}
		if parameters := tool.schema.summary(); parameters != "" {
			fmt.Fprintf(out, "   takes: %s\n", parameters)
		}
	}
	return nil
}

// Describe writes a tool's description and parameters.
func Describe(ctx context.Context, session *Session, tool string, out io.Writer) error {
	found, err := session.Find(ctx, tool)
	if err != nil {
		return err
	}
	_, err = io.WriteString(out, describe(found))
	return err
}

// Call calls a tool and writes its answer. The arguments are a person's text after the tool's name:
// words of the form name=value, or a JSON object.
func Call(ctx context.Context, session *Session, tool, arguments string, out io.Writer) error {
	words, err := SplitArguments(arguments)
	if err != nil {
		return err
	}
	return CallWith(ctx, session, tool, words, out)
}

// CallWith is Call with the text split into words.
func CallWith(ctx context.Context, session *Session, tool string, words []string, out io.Writer) error {
	text, err := session.CallWith(ctx, tool, words)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, text)
	return err
}
