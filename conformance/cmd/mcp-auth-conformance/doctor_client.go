package main

import (
	"net"
	"os"
	"os/exec"

	"github.com/spf13/cobra"

	"mcpentra/conformance/doctor"
	"mcpentra/conformance/doctor/workstation"
)

// examineClient examines this machine, and walks to a server as mcp-entra-client would.
func examineClient(command *cobra.Command, walk doctor.Config, format string) error {
	folder, err := os.Getwd()
	if err != nil {
		folder = ""
	}
	report, err := workstation.Examine(command.Context(), workstation.Config{
		URL:           walk.URL,
		Environ:       os.Environ(),
		WorkingFolder: folder,
		LookPath:      exec.LookPath,
		LookupHost:    net.DefaultResolver.LookupHost,
		UserID:        os.Getuid(),
		Walk:          walk,
	})
	if err != nil {
		return err
	}
	return printReport(command, report, format)
}
