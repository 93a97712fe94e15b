package main

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"mcpentra/server/broker"
)

// newClientCommand groups the commands for pre-registered clients.
func newClientCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "client",
		Short: "Prepare clients for AUTH_CLIENTS_FILE",
		Args:  cobra.NoArgs,
		RunE:  func(command *cobra.Command, _ []string) error { return command.Help() },
	}
	command.AddCommand(newClientSecretCommand())
	return command
}

func newClientSecretCommand() *cobra.Command {
	var fromInput bool
	command := &cobra.Command{
		Use:   "secret",
		Short: "Print a new secret for a client, and its hash for AUTH_CLIENTS_FILE",
		Long: `Secret makes a random secret of 256 bits. It prints the secret, which the client needs, and
its hash, which belongs into client_secret_hashes in AUTH_CLIENTS_FILE. It stores neither, so
this is the only time that the secret is shown.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return printClientSecret(command.InOrStdin(), command.OutOrStdout(), fromInput)
		},
	}
	command.Flags().BoolVar(
		&fromInput,
		"stdin",
		false,
		"print the hash of the secret on the first line of the standard input, if it has 128 bits or more",
	)
	return command
}

// maxSecretLine bounds the secret on the standard input, in bytes.
const maxSecretLine = 4096

func printClientSecret(in io.Reader, out io.Writer, fromInput bool) error {
	if !fromInput {
		secret, hash, err := broker.NewClientSecret(rand.Reader)
		if err == nil {
			_, err = fmt.Fprintf(out, "secret: %s\nhash:   %s\n", secret, hash)
		}
		return err
	}
	line, err := bufio.NewReader(io.LimitReader(in, maxSecretLine)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	hash, err := broker.HashClientSecret(strings.TrimRight(line, "\r\n"))
	if err == nil {
		_, err = fmt.Fprintf(out, "hash:   %s\n", hash)
	}
	return err
}
