package main

import (
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mcpentra/server/broker"
)

// newKeysCommand makes the command keys.
func newKeysCommand() *cobra.Command {
	return group("keys", "Change the keys that encrypt the store or sign tokens",
		newRotateCommand(), newPruneCommand(), newRotateSigningCommand())
}

// defaultOverlap is how long a new key only decrypts.
const defaultOverlap = 10 * time.Minute

func newRotateCommand() *cobra.Command {
	var after time.Duration
	command := onStorage(&cobra.Command{
		Use:   "rotate",
		Short: "Put a new key in front of the keys file",
		Long: `Rotate puts a new key in front of the keys file (MCP_KEYS_FILE, or the file beside the store).

The new key decrypts as soon as a server has read the file, and encrypts after the time of
--after. Running servers read the changed file within five seconds, without a restart. With
several replicas, copy the file to all of them before that time has passed. A replica without
the new key cannot read the records that the others write.

Then the servers encrypt all records anew, slowly. When their log says that no record uses the
older keys, remove these with "mcp-entra-server keys prune". No person is signed out.

Exit status: 0 if the key was added; 2 otherwise.`,
		Example: `  mcp-entra-server keys rotate
  mcp-entra-server keys rotate --after 2h              # time to copy the file to all replicas
  MCP_KEYS_FILE=copy.keys mcp-entra-server keys rotate # the servers' own file is read-only`,
		Args: noArguments,
	}, func(command *cobra.Command, s *settings, _ []string) error {
		return rotateKeys(command, s, after)
	})
	set := command.Flags()
	set.DurationVar(&after, "after", defaultOverlap, "let the new key encrypt after `TIME`; 0 means at once")
	return command
}

func rotateKeys(command *cobra.Command, s *settings, after time.Duration) error {
	if after < 0 {
		return fmt.Errorf("--after is %s: write a time such as 10m or 2h, or 0", after)
	}
	name, err := s.existingKeys()
	if err != nil {
		return err
	}
	var (
		from  time.Time
		added string
	)
	if after > 0 {
		from = time.Now().Add(after).Truncate(time.Second)
	}
	err = editKeys(command.Context(), name, func(text string) (string, error) {
		changed, err := broker.RotateKeysText(text, rand.Reader, from)
		if err != nil {
			return "", err
		}
		keys, err := broker.ReadKeys(changed)
		if err == nil {
			added = keys.Names()[0]
		}
		return changed, err
	})
	if err != nil {
		return err
	}
	out := command.OutOrStdout()
	fmt.Fprintf(out, "%s: added key %s\n", name, added)
	if after > 0 {
		fmt.Fprintf(out, "It decrypts now, and encrypts from %s on (in %s).\n", from.UTC().Format(time.RFC3339), after)
		fmt.Fprintln(out, "Copy the file to all replicas before then. Running servers read it within five seconds.")
	} else {
		fmt.Fprintln(out, "It encrypts now. Running servers read the file within five seconds.")
	}
	fmt.Fprintln(out, `When a server logs that no record uses the older keys: mcp-entra-server keys prune`)
	return nil
}

// existingKeys returns the name of the keys file. The command makes none.
func (s *settings) existingKeys() (string, error) {
	at, err := s.locateStore()
	if err != nil && s.keysFile == "" {
		return "", err
	}
	if s.keysFile != "" {
		at.keysFile = s.keysFile
	}
	if at.keysFile == "" {
		return "", s.wrong("MCP_KEYS_FILE", "is missing, and this store has no file beside it: write the name of "+
			"the keys file")
	}
	return at.keysFile, nil
}

func newPruneCommand() *cobra.Command {
	return onStorage(&cobra.Command{
		Use:   "prune",
		Short: "Remove the keys that no record uses",
		Long: `Prune reads the whole store, and removes from the keys file the older keys that no record uses.
It keeps the key that encrypts, and newer ones. A comment in the file keeps the part of a removed
key that recognizes refresh tokens, so no person is signed out. Delete the comment if the key was
stolen: old tokens are then refused like forged ones.

A file store can be read while no server uses it, so stop the server first. Copy the changed file
to all replicas.

Exit status: 0, also if there was nothing to remove; 2 otherwise.`,
		Example: `  mcp-entra-server keys prune`,
		Args:    noArguments,
	}, pruneKeys)
}

func pruneKeys(command *cobra.Command, s *settings, _ []string) error {
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
	report, err := broker.Inspect(ctx, kept, keys, newProgress(command, "records read"))
	if err != nil {
		return err
	}
	var removed []string
	err = editKeys(ctx, name, func(text string) (string, error) {
		isUsed := func(key string) bool { return report.Keys[key] > 0 }
		pruned, names, err := broker.PruneKeysText(text, time.Now(), isUsed)
		removed = names
		if err != nil || len(names) == 0 {
			return text, err
		}
		return pruned, nil
	})
	if err != nil {
		return err
	}
	out := command.OutOrStdout()
	if len(removed) == 0 {
		fmt.Fprintf(out, "%s: no key can be removed\n", name)
		return nil
	}
	fmt.Fprintf(out, "%s: removed %s, which no record uses\n", name, strings.Join(removed, ", "))
	return nil
}

// newProgress returns a function that reports long work on stderr.
func newProgress(command *cobra.Command, what string) func(int) {
	last := time.Now()
	return func(done int) {
		if time.Since(last) < 2*time.Second {
			return
		}
		last = time.Now()
		fmt.Fprintf(command.ErrOrStderr(), "mcp-entra-server: %d %s\n", done, what)
	}
}
