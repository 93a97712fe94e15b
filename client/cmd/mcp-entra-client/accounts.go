package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"mcpentra/client"
	"mcpentra/client/internal/console"
	"mcpentra/client/tokenstore"
)

// accounts lists the servers and accounts that the person is signed in to.
func accounts(ctx context.Context, flags *flagValues, out io.Writer) error {
	set, err := flags.settings()
	if err != nil {
		return err
	}
	store, err := set.openStore(false)
	if err != nil {
		return err
	}
	keys, err := store.Keys(ctx)
	if err != nil {
		return err
	}
	slices.SortFunc(keys, func(a, b tokenstore.Key) int {
		return cmp.Or(strings.Compare(a.Resource, b.Resource), strings.Compare(a.Account, b.Account))
	})
	shown := 0
	for _, key := range keys {
		record, err := store.Load(ctx, key)
		if err != nil {
			return err
		}
		issuer, entry, _ := record.InUse()
		if entry.Token.Access == "" {
			continue
		}
		shown++
		writeAccount(out, key, issuer, entry.Token.Scopes)
	}
	if shown == 0 {
		fmt.Fprintln(out, "You are signed in nowhere.")
	}
	return nil
}

func writeAccount(out io.Writer, key tokenstore.Key, issuer string, scopes []string) {
	account := ""
	if key.Account != "" {
		account = " (account " + key.Account + ")"
	}
	fmt.Fprintf(out, "%s\n", console.Printable(key.Resource+account))
	fmt.Fprintf(out, "    signed in at %s\n", console.Printable(issuer))
	if len(scopes) > 0 {
		fmt.Fprintf(out, "    for %s\n", console.Printable(strings.Join(scopes, " ")))
	}
}

// signOut ends the grant of one server and account.
func signOut(ctx context.Context, flags *flagValues, out io.Writer) error {
	set, err := flags.settings()
	if err != nil {
		return err
	}
	config, closeAll, err := set.config()
	if err != nil {
		return err
	}
	defer closeAll()
	under, err := client.New(config)
	if err != nil {
		return explainURL(config.Server, err)
	}
	signedIn, err := under.SignOut(ctx)
	switch {
	case err != nil && signedIn:
		return fmt.Errorf("the tokens are forgotten here, but the authorization server did not revoke them: %w", err)
	case err != nil:
		return err
	case !signedIn:
		return errors.New("you are not signed in there; mcp-entra-client accounts lists where you are")
	}
	fmt.Fprintln(out, "Signed out.")
	return nil
}
