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
	places, err := store.Places(ctx)
	if err != nil {
		return err
	}
	slices.SortFunc(places, func(a, b tokenstore.Place) int {
		return cmp.Or(strings.Compare(a.Resource, b.Resource), strings.Compare(a.Account, b.Account))
	})
	shown := 0
	for _, place := range places {
		record, err := store.Load(ctx, place)
		if err != nil {
			return err
		}
		issuer, entry, _ := record.InUse()
		if entry.Token.Access == "" {
			continue
		}
		shown++
		writeAccount(out, place, issuer, entry.Token.Scopes)
	}
	if shown == 0 {
		fmt.Fprintln(out, "You are signed in nowhere.")
	}
	return nil
}

func writeAccount(out io.Writer, place tokenstore.Place, issuer string, scopes []string) {
	account := ""
	if place.Account != "" {
		account = " (account " + place.Account + ")"
	}
	fmt.Fprintf(out, "%s\n", console.Printable(place.Resource+account))
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
