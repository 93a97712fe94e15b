package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"mcpentra/client"
	"mcpentra/client/internal/console"
	"mcpentra/client/signin"
	"mcpentra/client/tokenstore"
)

// tokens opens the store, and notes in words where it is. A client without a person can always get
// another token, so it keeps none unless it is told to.
func (s *settings) tokens(_ context.Context, unattended bool) (tokenstore.Store, error) {
	where := s.tokenStore
	if where == "" {
		where = "file"
		if unattended {
			where = "memory"
		}
	}
	kind, detail, _ := strings.Cut(where, ":")
	switch {
	case where == "memory":
		return &tokenstore.Memory{}, nil
	case kind == "file":
		folder := detail
		if folder == "" {
			state, err := stateFolder()
			if err != nil {
				return nil, fmt.Errorf("where to keep tokens? %w; say so with --token-store", err)
			}
			folder = filepath.Join(state, "tokens")
		}
		opened, err := tokenstore.OpenFile(folder, keychain())
		if err != nil {
			return nil, err
		}
		s.kept = fmt.Sprintf("Kept, encrypted, in %s; the key is in %s", folder, opened.KeyLocation())
		return opened, nil
	case kind == "command":
		words, err := signin.SplitWords(detail)
		if err != nil {
			return nil, fmt.Errorf("--token-store: %w", err)
		}
		state, err := stateFolder()
		if err != nil {
			return nil, err
		}
		opened, err := tokenstore.NewCommand(words, filepath.Join(state, "locks"))
		if err == nil {
			s.kept = "Kept by " + words[0]
		}
		return opened, err
	}
	return nil, fmt.Errorf("--token-store: want file, file:FOLDER, memory or command:WORDS, got %q", where)
}

// stateFolder is where the user's programs keep what they must remember (XDG Base Directory).
func stateFolder() (string, error) {
	if folder := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(folder) {
		return filepath.Join(folder, "mcp-entra-client"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	if !filepath.IsAbs(home) {
		return "", fmt.Errorf("want an absolute path in HOME, got %q", home)
	}
	return filepath.Join(home, ".local", "state", "mcp-entra-client"), nil
}

// keychain is the system's, if there can be one: to look for a Secret Service without a session bus
// would start one.
func keychain() *tokenstore.Keychain {
	if runtime.GOOS != "darwin" && runtime.GOOS != "windows" && os.Getenv("DBUS_SESSION_BUS_ADDRESS") == "" {
		return nil
	}
	return tokenstore.SystemKeychain()
}

// accounts lists what somebody is signed in to.
func accounts(ctx context.Context, flags *flagValues, out io.Writer) error {
	set, err := flags.settings()
	if err != nil {
		return err
	}
	tokens, err := set.tokens(ctx, false)
	if err != nil {
		return err
	}
	places, err := tokens.Places(ctx)
	if err != nil {
		return err
	}
	slices.SortFunc(places, func(a, b tokenstore.Place) int {
		return cmp.Or(strings.Compare(a.Resource, b.Resource), strings.Compare(a.Account, b.Account))
	})
	shown := 0
	for _, place := range places {
		record, err := tokens.Load(ctx, place)
		if err != nil {
			return err
		}
		issuer, entry, _ := record.InUse()
		if entry.Token.Access == "" {
			continue
		}
		shown++
		account := ""
		if place.Account != "" {
			account = " (account " + place.Account + ")"
		}
		fmt.Fprintf(out, "%s\n", console.Printable(place.Resource+account))
		fmt.Fprintf(out, "    signed in at %s\n", console.Printable(issuer))
		if len(entry.Token.Scopes) > 0 {
			fmt.Fprintf(out, "    for %s\n", console.Printable(strings.Join(entry.Token.Scopes, " ")))
		}
	}
	if shown == 0 {
		fmt.Fprintln(out, "You are signed in nowhere.")
	}
	return nil
}

// signOut ends the grant of one server and account.
func signOut(ctx context.Context, flags *flagValues, out io.Writer) error {
	set, err := flags.settings()
	if err != nil {
		return err
	}
	config, closeAll, err := set.config(ctx)
	if err != nil {
		return err
	}
	defer closeAll()
	under, err := client.New(config)
	if err != nil {
		return explainURL(config.Server, err)
	}
	was, err := under.SignOut(ctx)
	switch {
	case err != nil && was:
		return fmt.Errorf("the tokens are forgotten here, but the authorization server could not be told: %w", err)
	case err != nil:
		return err
	case !was:
		return errors.New("you are not signed in there; mcp-entra-client accounts lists where you are")
	}
	fmt.Fprintln(out, "Signed out.")
	return nil
}
