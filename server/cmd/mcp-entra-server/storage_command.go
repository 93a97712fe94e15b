package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"
)

// addStorageFlags adds the flags of commands that work on a store or a keys file.
func addStorageFlags(command *cobra.Command, flags *flagValues) {
	command.SetFlagErrorFunc(explainFlag)
	set := command.Flags()
	set.SortFlags = false
	set.StringVar(&flags.envFile, "env", ".env", "read settings from `FILE`")
	set.StringVar(&flags.store, "store", "", "use the store at `URL` (STORE_URL)")
}

// A storageRun does the work of a command on a store or a keys file.
type storageRun func(command *cobra.Command, s *settings, arguments []string) error

// onStorage makes a command run with the settings that name the store and its keys. The command
// gets the flags for them.
func onStorage(command *cobra.Command, run storageRun) *cobra.Command {
	var flags flagValues
	addStorageFlags(command, &flags)
	command.RunE = func(command *cobra.Command, arguments []string) error {
		s, _, err := readStorageSettings(command, flags)
		if err != nil {
			return err
		}
		err = run(command, s, arguments)
		if errors.Is(err, errFaults) {
			return err // it has an exit status of its own
		}
		return s.explain(err)
	}
	return command
}

// readStorageSettings reads the settings that name the store and its keys. The other settings may
// be missing.
func readStorageSettings(command *cobra.Command, flags flagValues) (*settings, *slog.Logger, error) {
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	values, err := readValues(flags, command.Flags().Changed, os.Environ(), logger)
	if err != nil {
		return nil, nil, err
	}
	s := newSettings(values, flags)
	if s.tenantID == "" && s.store == "" && s.keysFile == "" {
		return nil, nil, s.wrong("STORE_URL", "is missing, and so is AUTH_TENANT_ID, which names the default store: "+
			"write one of them, or run the command where the server's .env is")
	}
	return s, logger, nil
}

// noArguments refuses arguments.
func noArguments(command *cobra.Command, arguments []string) error {
	if len(arguments) == 0 {
		return nil
	}
	return fmt.Errorf("%q is one argument too many: %s --help explains the command", arguments[0],
		command.CommandPath())
}

// group makes a command that only has commands below it.
func group(name, short string, commands ...*cobra.Command) *cobra.Command {
	made := &cobra.Command{
		Use:   name,
		Short: short,
		RunE: func(command *cobra.Command, arguments []string) error {
			if len(arguments) > 0 {
				return fmt.Errorf("there is no command %q: %s --help lists them", arguments[0], command.CommandPath())
			}
			return command.Help()
		},
	}
	made.SetFlagErrorFunc(explainFlag)
	made.AddCommand(commands...)
	return made
}
