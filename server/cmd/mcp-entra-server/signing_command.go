package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"mcpentra/server/broker"
)

func newRotateSigningCommand() *cobra.Command {
	var emergency bool
	command := onStorage(&cobra.Command{
		Use:   "rotate-signing",
		Short: "Add a key that signs access tokens",
		Long: `Rotate-signing adds a key that signs access tokens. The keys are in the store, encrypted, and
their public halves at /jwks.

The new public key is published at once. It begins to sign ten minutes later, when every cache has
it. The old public key stays until its last token has expired. No token ends early.

With --emergency, for a stolen key, the new key replaces all others at once. Running servers refuse
the tokens of the old keys within two seconds, and clients refresh. Servers elsewhere that verify
tokens with a copy of /jwks accept the old key for up to five minutes more.

Servers on PostgreSQL or Redis follow without a restart. A file store must not be in use: stop the
server, run the command, and start the server.

Exit status: 0 if the key was added; 2 otherwise.`,
		Example: `  mcp-entra-server keys rotate-signing
  mcp-entra-server keys rotate-signing --emergency`,
		Args: noArguments,
	}, func(command *cobra.Command, s *settings, _ []string) error {
		return rotateSigningKey(command, s, emergency)
	})
	command.Flags().BoolVar(&emergency, "emergency", false, "remove the old keys at once")
	return command
}

func rotateSigningKey(command *cobra.Command, s *settings, emergency bool) error {
	ctx := command.Context()
	kept, keys, err := openExisting(ctx, s)
	if err != nil {
		return err
	}
	defer kept.Close()
	made, err := broker.RotateSigningKey(ctx, broker.SigningRotation{Store: kept, Keys: keys, Emergency: emergency})
	if err != nil {
		return err
	}
	out := command.OutOrStdout()
	if emergency {
		fmt.Fprintf(out, "Key %s signs now, and all other keys are gone. Clients refresh.\n", made.ID)
		return nil
	}
	fmt.Fprintf(out, "Key %s is published now, and signs from %s on.\n", made.ID, made.From.UTC().Format(time.RFC3339))
	fmt.Fprintf(out, "The key before it is published until %s.\n", made.OldUntil.UTC().Format(time.RFC3339))
	return nil
}
