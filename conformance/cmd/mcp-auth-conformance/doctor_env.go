package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"mcpentra/conformance/doctor/envfile"
)

// examineEnv examines a settings file of mcp-entra-server, and prints the report.
func examineEnv(command *cobra.Command, given []string, options doctorOptions) error {
	if len(given) > 0 {
		return fmt.Errorf("--env takes the place of a URL, got both: %q", given)
	}
	if options.format != "text" && options.format != "json" {
		return fmt.Errorf("--format: want text or json, got %q", options.format)
	}
	report, err := envfile.Examine(command.Context(), envfile.Config{
		File:     options.envFile,
		Environ:  os.Environ(),
		Patience: options.timeout,
	})
	if err != nil {
		return fmt.Errorf("--env: %w", err)
	}
	return printReport(command, report, options.format)
}
