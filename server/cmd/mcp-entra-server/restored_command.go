package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"mcpentra/server/broker"
)

func newRestoredCommand() *cobra.Command {
	return onStorage(&cobra.Command{
		Use:   "restored",
		Short: "End what a store from a backup has issued",
		Long: `Restored ends all sign-ins of the store that STORE_URL names. Run it after you have restored the
store from a backup. A backup contains refresh tokens that were used since, and grants that were
revoked since. They would work again.

Old codes and refresh tokens are void from now on, and so are their access tokens, on every
running server within two seconds. People sign in again, and are asked for consent again. The
registrations of clients stay.

The server notices a restored file store by itself, if the keys file is newer: both have an epoch
that each start raises. A file store must not be in use.

Exit status: 0 if the sign-ins have ended; 2 otherwise.`,
		Example: `  mcp-entra-server store restored`,
		Args:    noArguments,
	}, voidStore)
}

func voidStore(command *cobra.Command, s *settings, _ []string) error {
	ctx := command.Context()
	name, err := s.existingKeys()
	if err != nil {
		return err
	}
	kept, keys, err := openExisting(ctx, s)
	if err != nil {
		return err
	}
	defer kept.Close()
	raised, err := broker.RaiseEpoch(ctx, broker.EpochConfig{Store: kept, Keys: keys, Restored: true})
	if err != nil {
		return err
	}
	out := command.OutOrStdout()
	fmt.Fprintf(out, "All sign-ins from before now have ended (epoch %d). People sign in again.\n", raised.Number)
	if err := noteEpoch(ctx, keys, name, raised); err != nil {
		fmt.Fprintf(command.ErrOrStderr(), "mcp-entra-server: the keys file keeps its epoch: %v\n", err)
	}
	return nil
}
