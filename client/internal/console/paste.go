package console

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// ReadPasted asks for a line, from in if it is a terminal and from the controlling terminal
// otherwise, since the lines of a script are commands. It comes back with the context.
func ReadPasted(ctx context.Context, in *os.File, out io.Writer) (string, error) {
	if !term.IsTerminal(int(in.Fd())) {
		terminal, err := os.Open("/dev/tty")
		if err != nil {
			return "", errors.New("there is no terminal to paste the address into")
		}
		defer terminal.Close()
		in = terminal
	}
	// A terminal keeps at most 4095 bytes of a line in its own editing, and addresses with a code
	// in them are longer. So the lines are the program's from before the question until it is
	// answered or given up, and the terminal's again after that, whatever still reads.
	saved, err := term.MakeRaw(int(in.Fd()))
	if err == nil {
		defer func() { _ = term.Restore(int(in.Fd()), saved) }()
	}
	fmt.Fprint(out, "paste here> ")
	line, err := next(ctx, func() (string, error) { return readLine(in, err == nil) })
	fmt.Fprint(out, "\r\n") // a raw terminal shows nothing that is typed, not even the line feed
	if errors.Is(err, io.EOF) {
		return "", errors.New("no address was pasted")
	}
	return line, err
}

// readLine reads one line and nothing of the next.
func readLine(in *os.File, raw bool) (string, error) {
	if raw {
		return term.NewTerminal(struct {
			io.Reader
			io.Writer
		}{&interruptible{in: in}, io.Discard}, "").ReadLine()
	}
	return bufio.NewReaderSize(io.LimitReader(in, maxLine), 64).ReadString('\n')
}
