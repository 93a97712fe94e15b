package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mcpentra/client/internal/console"
)

// noArguments refuses arguments.
func noArguments(command *cobra.Command, arguments []string) error {
	if len(arguments) == 0 {
		return nil
	}
	return fmt.Errorf("%s takes no arguments, got %q", command.Name(), arguments[0])
}

// oneTool requires the name of a tool and nothing else.
func oneTool(command *cobra.Command, arguments []string) error {
	if len(arguments) > 1 {
		return fmt.Errorf("%s takes one name of a tool, got %q as well", command.Name(), arguments[1])
	}
	return aTool(command, arguments)
}

// aTool requires the name of a tool first.
func aTool(command *cobra.Command, arguments []string) error {
	if len(arguments) == 0 {
		return fmt.Errorf("%s needs the name of a tool: %s; list shows the tools", command.Name(), command.Use)
	}
	return nil
}

// flagError explains an error about a flag.
func flagError(command *cobra.Command, failure error) error {
	var missing *pflag.NotExistError
	var empty *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(failure, &missing):
		return noSuchFlag(command, missing.GetSpecifiedName())
	case errors.As(failure, &empty):
		value, _ := pflag.UnquoteUsage(empty.GetFlag())
		return fmt.Errorf("--%[1]s needs a value: --%[1]s %[2]s", empty.GetFlag().Name, value)
	case errors.As(failure, &invalid):
		flag := invalid.GetFlag()
		return fmt.Errorf("--%s: want %s, got %q", flag.Name, wanted(flag), invalid.GetValue())
	}
	return fmt.Errorf("%w; mcp-entra-client --help lists the flags", failure)
}

// noSuchFlag refuses an unknown flag, and suggests the one that was probably meant.
func noSuchFlag(command *cobra.Command, name string) error {
	dashes := "--"
	if len(name) == 1 {
		dashes = "-"
	}
	var names []string
	longer := ""
	command.Flags().VisitAll(func(flag *pflag.Flag) {
		names = append(names, flag.Name)
		if len(name) > 2 && longer == "" && strings.HasPrefix(flag.Name, name) {
			longer = flag.Name
		}
	})
	meant := console.Nearest(name, names)
	if meant == "" {
		meant = longer
	}
	if meant != "" {
		return fmt.Errorf("there is no flag %s%s; did you mean --%s?", dashes, name, meant)
	}
	return fmt.Errorf("there is no flag %s%s; mcp-entra-client --help lists the flags", dashes, name)
}

// wanted describes the values that a flag takes.
func wanted(flag *pflag.Flag) string {
	switch flag.Value.Type() {
	case "duration":
		return "a time such as 30s or 5m"
	case "bool":
		return "true or false"
	}
	return "another value"
}
