package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"mcpentra/server/broker"
	"mcpentra/server/store"
)

// newStoreCommand makes the command store.
func newStoreCommand() *cobra.Command {
	return group("store", "Check, move or void what the server stores", newCheckCommand(), newExportCommand(),
		newImportCommand(), newRestoredCommand())
}

// errFaults ends a command with status 1.
var errFaults = errors.New("the store has records that cannot be read: see the lines above")

func newCheckCommand() *cobra.Command {
	return onStorage(&cobra.Command{
		Use:   "check",
		Short: "Check that every record can be read",
		Long: `Check reads every record of the store that STORE_URL names. It checks that a key of the keys file
decrypts the record, and that its value has the form of its kind. It prints how many records of
each kind there are, and how many each key encrypts. It changes nothing.

A file store can be read while no server uses it.

Exit status: 0 if every record is good; 1 if some are not; 2 if the store cannot be read.`,
		Example: `  mcp-entra-server store check
  mcp-entra-server store check --store file:/var/backups/grants.db`,
		Args: noArguments,
	}, checkStore)
}

func checkStore(command *cobra.Command, s *settings, _ []string) error {
	ctx := command.Context()
	kept, keys, err := openExisting(ctx, s)
	if err != nil {
		return err
	}
	defer kept.Close()
	report, err := broker.Inspect(ctx, kept, keys, newProgress(command, "records read"))
	if err != nil {
		return err
	}
	printReport(command.OutOrStdout(), report, keys)
	if report.FaultCount > 0 {
		return errFaults
	}
	return nil
}

func printReport(out io.Writer, report *broker.Report, keys *broker.Keys) {
	fmt.Fprintf(out, "%d records\n", report.Records())
	for _, kind := range slices.Sorted(maps.Keys(report.Kinds)) {
		fmt.Fprintf(out, "  %-14s %d\n", kind, report.Kinds[kind])
	}
	if report.Epoch < report.NotedEpoch {
		fmt.Fprintf(out, "epoch %d, and the keys file notes %d: the store is from a backup, and sign-ins from before "+
			"the next start will be void\n", report.Epoch, report.NotedEpoch)
	} else {
		fmt.Fprintf(out, "epoch %d\n", report.Epoch)
	}
	if !report.VoidBefore.IsZero() {
		fmt.Fprintf(out, "void: sign-ins from before %s\n", report.VoidBefore.UTC().Format(time.RFC3339))
	}
	if report.Deployment != "" {
		fmt.Fprintf(out, "of %s\n", report.Deployment)
	}
	fmt.Fprintln(out, "keys, in the order of the file")
	for _, name := range keys.Names() {
		fmt.Fprintf(out, "  %s       encrypts %d records\n", name, report.Keys[name])
		delete(report.Keys, name)
	}
	for _, name := range slices.Sorted(maps.Keys(report.Keys)) {
		fmt.Fprintf(out, "  %s       encrypts %d records, and is missing in the file\n", name, report.Keys[name])
	}
	for _, fault := range report.Faults {
		fmt.Fprintf(out, "fault: %v\n", fault)
	}
	if more := report.FaultCount - len(report.Faults); more > 0 {
		fmt.Fprintf(out, "fault: and %d more records\n", more)
	}
}

// openExisting opens a store for a command. It makes neither a store nor keys.
func openExisting(ctx context.Context, s *settings) (store.Store, *broker.Keys, error) {
	at, err := s.locateStore()
	if err != nil {
		return nil, nil, err
	}
	if at.kind == "memory" {
		return nil, nil, s.wrong("STORE_URL", "is memory:, which ends with its server: name the store that a server "+
			"keeps")
	}
	if at.kind == "file" {
		if _, err := os.Stat(at.path); errors.Is(err, fs.ErrNotExist) {
			return nil, nil, fmt.Errorf("STORE_URL: there is no store at %s: name the store that a server keeps",
				at.path)
		}
	}
	return openNamed(ctx, s)
}

// openNamed is openStore for a command. The log of the server does not matter there.
func openNamed(ctx context.Context, s *settings) (store.Store, *broker.Keys, error) {
	kept, keys, err := openStore(ctx, s, slog.New(slog.DiscardHandler))
	if errors.Is(err, store.ErrInUse) {
		err = s.wrong("STORE_URL", "names a store that cannot be opened: another process has it open; stop the "+
			"server, run this command again, and start the server")
	}
	return kept, keys, err
}
