package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"mcpentra/server/broker"
	"mcpentra/server/store"
)

func newExportCommand() *cobra.Command {
	return onStorage(&cobra.Command{
		Use:   "export FILE",
		Short: "Write all records to a file",
		Long: `Export writes every record of the store that STORE_URL names to FILE. The records stay encrypted:
only the keys file decrypts them. FILE is new, and only its owner can read it.

Stop the servers first. What they write meanwhile may be missing, and what they change may come
back when the file is imported.

Exit status: 0 if FILE has all records; 2 otherwise.`,
		Example: `  mcp-entra-server store export grants.export
  STORE_URL=postgres:///mcp mcp-entra-server store import grants.export`,
		Args: oneFile,
	}, exportStore)
}

// oneFile wants the name of a file.
func oneFile(command *cobra.Command, arguments []string) error {
	if len(arguments) != 1 {
		return fmt.Errorf("want the name of one file, got %d arguments: %s --help explains the command",
			len(arguments), command.CommandPath())
	}
	return nil
}

func exportStore(command *cobra.Command, s *settings, arguments []string) error {
	ctx := command.Context()
	name := arguments[0]
	kept, _, err := openExisting(ctx, s)
	if err != nil {
		return err
	}
	defer kept.Close()
	if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s exists: export writes a new file; remove it, or name another one", name)
	}
	written, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*") // with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(written.Name()) // without effect after the rename
	records, err := store.Export(ctx, kept, written, newProgress(command, "records written"))
	if err == nil {
		err = written.Sync()
	}
	if err := errors.Join(err, written.Close()); err != nil {
		return fmt.Errorf("%s was not written: %w", name, err)
	}
	if err := os.Rename(written.Name(), name); err != nil {
		return err
	}
	if err := syncFolder(filepath.Dir(name)); err != nil {
		return err
	}
	fmt.Fprintf(command.OutOrStdout(), "%s: %d records, encrypted as in the store\n", name, records)
	return nil
}

func newImportCommand() *cobra.Command {
	var add bool
	command := onStorage(&cobra.Command{
		Use:   "import FILE",
		Short: "Write the records of an export to the store",
		Long: `Import writes the records of FILE, which "store export" has made, to the store that STORE_URL
names. So people stay signed in when a server moves from one store to another. The store needs the
keys file of the exported store (MCP_KEYS_FILE). Import it before the server's first start with
the new store, because the store has to be empty.

It first reads the whole of FILE. It writes nothing if FILE is damaged, or if the keys do not
decrypt a record.

Exit status: 0 if all records are in the store; 2 otherwise.`,
		Example: `  MCP_KEYS_FILE=grants.keys mcp-entra-server store import --store file:new.db grants.export`,
		Args:    oneFile,
	}, func(command *cobra.Command, s *settings, arguments []string) error {
		return importStore(command, s, arguments[0], add)
	})
	command.Flags().BoolVar(&add, "add", false, "add to a store that has records; its own records stay as they are")
	return command
}

func importStore(command *cobra.Command, s *settings, name string, add bool) error {
	ctx := command.Context()
	from, err := os.Open(name)
	if err != nil {
		return err
	}
	defer from.Close()
	kept, keys, err := openForImport(ctx, s)
	if err != nil {
		return err
	}
	defer kept.Close()
	done, err := store.Import(ctx, kept, store.ImportConfig{
		From:     from,
		Admit:    keys.Admit,
		Add:      add,
		Progress: newProgress(command, "records read"),
	})
	switch {
	case errors.Is(err, store.ErrNotEmpty):
		return fmt.Errorf("%w: import into a new store, before its server's first start, or use --add", err)
	case err != nil && done.Written > 0:
		return fmt.Errorf("%d records were written, and then: %w; run the command again with --add", done.Written, err)
	case err != nil:
		return fmt.Errorf("%s: %w", name, err)
	}
	fmt.Fprintf(command.OutOrStdout(), "%d records written, %d were there already, %d have expired\n",
		done.Written, done.Present, done.Expired)
	return nil
}

// openForImport opens a store that may be new. Its keys have to exist.
func openForImport(ctx context.Context, s *settings) (store.Store, *broker.Keys, error) {
	name, err := s.existingKeys()
	if err != nil {
		return nil, nil, err
	}
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("MCP_KEYS_FILE: %s does not exist: write the name of the keys file that the "+
			"exported store has", name)
	}
	return openNamed(ctx, s)
}
