package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"mcpentra/conformance"
	"mcpentra/conformance/catalogue"
	"mcpentra/conformance/engine"
)

func newListCommand() *cobra.Command {
	long, entries := false, false
	command := &cobra.Command{
		Use: "list", Short: "List the checks, or what they try, an ID a line", Args: arguments(0, 0, "no arguments"),
		Example: "  mcp-auth-conformance list --long\n  mcp-auth-conformance list --catalogue",
		RunE: func(command *cobra.Command, _ []string) error {
			out := command.OutOrStdout()
			if entries {
				for _, entry := range catalogue.Entries() {
					listOne(out, long, entry.ID, entry.Level, entry.Sentence)
				}
				return nil
			}
			for _, check := range conformance.Checks() {
				listOne(out, long, check.ID, check.Level, check.Sentence)
			}
			return nil
		},
	}
	command.Flags().BoolVar(&long, "long", false, "with level and rule")
	command.Flags().BoolVar(&entries, "catalogue", false, "list the requirements and attacks that there are, in place of the checks")
	return command
}

func listOne(out io.Writer, long bool, id string, level engine.Level, sentence string) {
	if long {
		fmt.Fprintf(out, "%-50s %-6s %s\n", id, level, sentence)
		return
	}
	fmt.Fprintln(out, id)
}

func newExplainCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "explain ID",
		Short:   "Say what a check, a requirement or an attack is about",
		Args:    arguments(1, 1, "one ID, as list prints them"),
		Example: "  mcp-auth-conformance explain server/token/expired\n  mcp-auth-conformance explain RS-012",
		RunE: func(command *cobra.Command, given []string) error {
			out, id := command.OutOrStdout(), given[0]
			for _, check := range conformance.Checks() {
				if check.ID == id {
					explainCheck(out, check)
					return nil
				}
			}
			if entry, found := catalogue.Find(id); found {
				explainEntry(out, entry)
				return nil
			}
			return fmt.Errorf("there is no check %q, and no requirement or attack; list and list --catalogue show them", id)
		},
	}
}

func explainCheck(out io.Writer, check engine.Check) {
	fmt.Fprintf(out, "%s\n\n%s\n\n", check.ID, check.Sentence)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(out, "%-10s %s\n", name, value)
		}
	}
	line("level", string(check.Level))
	line("severity", string(check.Severity))
	line("from", check.Reference)
	line("revisions", revisionsOf(check.Revisions))
	line("tries", strings.Join(check.Covers, ", "))
	if len(check.Abilities) > 0 {
		line("needs", fmt.Sprintf("abilities of the client: %v", check.Abilities))
	}
	var tokens []string
	for _, kind := range check.Needs {
		tokens = append(tokens, string(kind))
	}
	if tokens != nil {
		line("needs", "tokens: "+strings.Join(tokens, ", "))
	}
	if check.NeedsMint {
		line("needs", "the issuer's key, in go test (engine.Mint)")
	}
	if check.NeedsCanary {
		line("needs", "a tool that shows when it has run, in go test (engine.Canary)")
	}
	if check.NeedsHandles {
		line("needs", "tools that hand out state and take it, in go test (engine.Handles)")
	}
	if check.NeedsRounds {
		line("needs", "a tool that asks back before it does its work, in go test (engine.Rounds)")
	}
	if check.NeedsTasks {
		line("needs", "a tool that can be called as a task, in go test (engine.Target.TaskTool)")
	}
	if check.NeedsWhoami {
		line("needs", "a tool that tells its caller who that is, in go test (engine.Whoami)")
	}
	if check.NeedsLocal {
		line("needs", "--local: the server is for this machine only")
	}
	if check.NeedsForwarded {
		line("needs", "a view of what the server sends on, in go test (engine.Forwarded)")
	}
	if check.NeedsRig {
		line("needs", "a server of its own for each try, in go test (engine.Rig)")
	}
	if check.Disruptive {
		line("disruptive", "runs with --disruptive only")
	}
}

func explainEntry(out io.Writer, entry catalogue.Entry) {
	fmt.Fprintf(out, "%s\n\n%s\n\nlevel      %s\nrevisions  %s\n", entry.ID, entry.Sentence, entry.Level, revisionsOf(entry.Revisions))
	if entry.Severity != "" {
		fmt.Fprintf(out, "severity   %s\n", entry.Severity)
	}
	if entry.Elsewhere != "" {
		fmt.Fprintf(out, "no check   %s\n", entry.Elsewhere)
	}
	for _, check := range catalogue.Covering(entry.ID, conformance.Checks()) {
		fmt.Fprintf(out, "check      %s\n", check.ID)
	}
}

func revisionsOf(revisions []engine.Revision) string {
	if len(revisions) == 0 {
		return "all"
	}
	var names []string
	for _, revision := range revisions {
		names = append(names, string(revision))
	}
	return strings.Join(names, ", ")
}
