// Mcp-entra-client signs in to a protected MCP server and calls its tools.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"mcpentra/client"
	"mcpentra/client/internal/console"
)

// Exit statuses.
const (
	exitTool   = 1 // the tool answered with an error
	exitUsage  = 2 // usage, set-up, or no connection to the server
	exitSignIn = 3 // sign-in needed or refused
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	ctx, end := context.WithCancel(ctx)
	defer end()
	keys := &interrupts{}
	go keys.watch(end)
	command := newCommand(keys)
	command.SetArgs(withURLFlag(os.Args[1:], command.PersistentFlags()))
	err := command.ExecuteContext(ctx)
	if err == nil {
		return
	}
	var written *console.CommandError
	if !errors.As(err, &written) {
		writeError(err)
	}
	os.Exit(status(err))
}

// status returns the exit status for an error.
func status(err error) int {
	var tool *console.ErrTool
	var signIn *client.SignInError
	switch {
	case errors.As(err, &tool):
		return exitTool
	case errors.As(err, &signIn):
		return exitSignIn
	}
	return exitUsage
}

// writeError writes an error. Its text may come from a server.
func writeError(err error) {
	var tool *console.ErrTool
	if errors.As(err, &tool) {
		fmt.Fprintln(os.Stderr, tool.Text)
		return
	}
	fmt.Fprintln(os.Stderr, "mcp-entra-client: "+console.Printable(err.Error()))
}
