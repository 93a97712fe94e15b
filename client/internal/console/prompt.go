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

const help = `list                      the tools of the server, and what they take
describe <tool>           what a tool does and takes
call <tool> [name=value]  call a tool; a value may be 'in quotes', or JSON for a list or an object
call <tool> {json}        call a tool, with its arguments as a JSON object
help                      this list
quit                      leave; Ctrl-C during a call only ends the call
`

var commands = []string{"list", "describe", "call", "help", "quit"}

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
	_, _ = session.Tools(ctx) // for the completion; commands tell what is wrong
	if saved, err := term.GetState(int(streams.In.Fd())); err == nil {
		// When the context ends, a line may be half typed.
		defer func() { _ = term.Restore(int(streams.In.Fd()), saved) }()
	}
	if !terminal || streams.Interruptible == nil {
		streams.Interruptible = context.WithCancel
	}
	lines := reader(streams.In, streams.Out, session)
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

// next reads a line without keeping Ctrl-C from ending the program. A read that nobody waits for
// any more ends with the program.
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

// reader reads lines: on a terminal with a prompt, history and completion, elsewhere as they come.
// The terminal is raw only while a line is typed, so that Ctrl-C ends a call that does not come
// back.
func reader(in *os.File, out io.Writer, session *Session) func() (string, error) {
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

// interruptible turns Ctrl-C, which a raw terminal hands on as a character, into an error.
type interruptible struct{ in io.Reader }

func (i *interruptible) Read(buffer []byte) (int, error) {
	n, err := i.in.Read(buffer)
	if slices.Contains(buffer[:n], 3) {
		return 0, errInterrupted
	}
	return n, err
}

// complete extends a line as far as it is unambiguous: a command, the tool behind call or
// describe, or a parameter of the tool.
func complete(line string, tools []Tool) string {
	verb, rest, behind := strings.Cut(line, " ")
	if !behind {
		return extend("", line, commands, " ")
	}
	if verb != "call" && verb != "describe" {
		return line
	}
	name, arguments, behind := strings.Cut(strings.TrimLeft(rest, " "), " ")
	if !behind {
		var names []string
		for _, tool := range tools {
			names = append(names, tool.Name)
		}
		return extend(verb+" ", name, names, " ")
	}
	tool, found := named(tools, name)
	if verb != "call" || !found || strings.HasPrefix(strings.TrimSpace(arguments), "{") {
		return line
	}
	var names []string
	for _, one := range tool.schema.parameters {
		names = append(names, one.Name)
	}
	at := strings.LastIndex(line, " ") + 1
	return extend(line[:at], line[at:], names, "=")
}

// extend completes the last word of a line, and ends it if only one candidate is left.
func extend(before, word string, candidates []string, end string) string {
	var fitting []string
	for _, one := range candidates {
		if strings.HasPrefix(one, word) {
			fitting = append(fitting, one)
		}
	}
	if len(fitting) == 0 {
		return before + word
	}
	common := fitting[0]
	for _, one := range fitting[1:] {
		for !strings.HasPrefix(one, common) {
			common = common[:len(common)-1]
		}
	}
	if len(fitting) == 1 {
		common += end
	}
	return before + common
}

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
	if tool, is := named(session.listed(), verb); is {
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

// cutWord splits a line behind its first word.
func cutWord(line string) (word, rest string) {
	line = strings.TrimSpace(line)
	at := strings.IndexAny(line, " \t")
	if at < 0 {
		return line, ""
	}
	return line[:at], strings.TrimSpace(line[at:])
}

// List writes the server's tools, numbered, with what they take.
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
		if takes := tool.schema.inLine(); takes != "" {
			fmt.Fprintf(out, "   takes: %s\n", takes)
		}
	}
	return nil
}

// Describe writes what a tool does and takes.
func Describe(ctx context.Context, session *Session, tool string, out io.Writer) error {
	found, err := session.Find(ctx, tool)
	if err != nil {
		return err
	}
	_, err = io.WriteString(out, describe(found))
	return err
}

// Call calls a tool and writes what it says. The arguments are what a person types behind the name:
// words of the form name=value, or a JSON object.
func Call(ctx context.Context, session *Session, tool, arguments string, out io.Writer) error {
	words, err := SplitArguments(arguments)
	if err != nil {
		return err
	}
	return CallWith(ctx, session, tool, words, out)
}

// CallWith is Call with words that have been split already.
func CallWith(ctx context.Context, session *Session, tool string, words []string, out io.Writer) error {
	text, err := session.CallWith(ctx, tool, words)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, text)
	return err
}
