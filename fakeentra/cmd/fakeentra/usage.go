package main

import (
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// version is the version of the module that the program was built from.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

// values describes the values of each type of flag.
var values = map[string]string{
	"bool":     "true or false",
	"duration": "a duration like 30s or 5m",
	"float64":  "a number like 0.1",
	"int":      "a number",
}

// flagError names the wrong flag, the values it takes and the value it got.
func flagError(command *cobra.Command, err error) error {
	var invalid *pflag.InvalidValueError
	var missing *pflag.ValueRequiredError
	var unknown *pflag.NotExistError
	switch {
	case errors.As(err, &invalid):
		flag := invalid.GetFlag()
		return fmt.Errorf("--%s: want %s, got %q", flag.Name, values[flag.Value.Type()], invalid.GetValue())
	case errors.As(err, &missing):
		name, _ := pflag.UnquoteUsage(missing.GetFlag())
		return fmt.Errorf("--%s needs a value: %s", missing.GetFlag().Name, name)
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "":
		return fmt.Errorf("there is no flag --%s; %s --help lists the flags",
			unknown.GetSpecifiedName(), command.CommandPath())
	case errors.As(err, &unknown):
		return fmt.Errorf("there is no flag -%s; %s --help lists the flags",
			unknown.GetSpecifiedName(), command.CommandPath())
	}
	return err
}

// arguments accepts from least to most arguments. The text describes them.
func arguments(least, most int, text string) cobra.PositionalArgs {
	return func(command *cobra.Command, given []string) error {
		switch {
		case len(given) == 0 && least > 0:
			return fmt.Errorf("%s wants %s, got nothing", command.Name(), text)
		case len(given) < least || len(given) > most:
			return fmt.Errorf("%s wants %s, got %d arguments: %q", command.Name(), text, len(given), given)
		}
		return nil
	}
}

// noSuchCommand refuses unknown commands.
func noSuchCommand(command *cobra.Command, given []string) error {
	if len(given) > 0 {
		return fmt.Errorf("there is no command %q; %s --help lists the commands", given[0], command.CommandPath())
	}
	return nil
}
