package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"mcpentra/fakeentra/directory"
)

func newDirectoryCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "directory [FILE]",
		Short: "Print an example directory file, or check a file",
		Long: `Without FILE, directory prints an example of a directory file. It explains every key.
With FILE, directory lists the mistakes in the file by line. It warns about what Entra ID perhaps
refuses.

Exit status: 0 fine; 1 the file has mistakes; 2 usage error, or the file cannot be read.`,
		Example: `  fakeentra directory > directory.yaml
  fakeentra directory directory.yaml
  fakeentra --directory directory.yaml`,
		Args: arguments(0, 1, "one FILE or nothing"),
		RunE: func(command *cobra.Command, given []string) error {
			if len(given) == 0 {
				_, err := fmt.Fprint(command.OutOrStdout(), directory.Example)
				return err
			}
			watched := &watch{name: given[0]}
			text, err := watched.read()
			if err != nil {
				return err
			}
			file, err := directory.Parse(given[0], text)
			if err != nil {
				return &exitError{exitNo, err}
			}
			warn(command.ErrOrStderr(), file)
			apps := 0
			users := 0
			for _, tenant := range file.Tenants {
				apps, users = apps+len(tenant.Apps), users+len(tenant.Users)
			}
			_, err = fmt.Fprintf(command.OutOrStdout(), "%s: fine: tenants %d, apps %d, users %d, faults %d\n",
				given[0], len(file.Tenants), apps, users, len(file.Faults))
			return err
		},
	}
}

// warn prints the warnings about a directory file.
func warn(to io.Writer, file *directory.File) {
	for _, warning := range file.Warnings() {
		fmt.Fprintf(to, "fakeentra: warning: %v\n", warning)
	}
}
