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

// ReadPasted asks for a line and reads it from in. If in is a script, it reads from the controlling
// terminal, because the script's lines are commands. It returns early if the context ends.
func ReadPasted(ctx context.Context, in *os.File, out io.Writer) (string, error) {
	if !term.IsTerminal(int(in.Fd())) {
		terminal, err := os.Open("/dev/tty")
		if err != nil {
			return "", errors.New("there is no terminal to paste the address into")
		}
		defer terminal.Close()
		in = terminal
	}
	// A terminal's own line editing keeps at most 4095 bytes, and an address with a code can be
	// longer. So the terminal is raw until the line is read or the context ends.
	saved, err := term.MakeRaw(int(in.Fd()))
	if err == nil {
		defer func() { _ = term.Restore(int(in.Fd()), saved) }()
	}
	fmt.Fprint(out, "paste here> ")
	line, err := awaitLine(ctx, func() (string, error) { return readOneLine(in, err == nil) })
	fmt.Fprint(out, "\r\n") // a raw terminal does not show the typed line feed
	if errors.Is(err, io.EOF) {
		return "", errors.New("no address was pasted")
	}
	return line, err
}

// readOneLine reads one line, and nothing of the next.
func readOneLine(in *os.File, raw bool) (string, error) {
	if raw {
		return term.NewTerminal(readWriter{&interruptible{in: in}, io.Discard}, "").ReadLine()
	}
	return bufio.NewReaderSize(io.LimitReader(in, maxLine), 64).ReadString('\n')
}
