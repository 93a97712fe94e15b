package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"mcpentra/conformance/catalogue"
	"mcpentra/conformance/check"
	"mcpentra/conformance/clients"
	"mcpentra/conformance/issuers"
	"mcpentra/conformance/report"
	"mcpentra/conformance/servers"
)

func newListCommand() *cobra.Command {
	long := false
	entries := false
	advisories := false
	schema := false
	command := &cobra.Command{
		Use:   "list",
		Short: "List the checks, the catalogue or the advisories, one ID per line",
		Args:  arguments(0, 0, "no arguments"),
		Example: "  mcp-auth-conformance list --long\n  mcp-auth-conformance list --catalogue\n" +
			"  mcp-auth-conformance list --advisories --long",
		RunE: func(command *cobra.Command, _ []string) error {
			out := command.OutOrStdout()
			if schema {
				_, err := out.Write(report.Schema())
				return err
			}
			if advisories {
				listAdvisories(out, long)
				return nil
			}
			if entries {
				for _, entry := range catalogue.Entries() {
					listOne(out, long, entry.ID, entry.Level, entry.Sentence)
					if long {
						listReason(out, "no check", entry.Elsewhere)
						listReason(out, "left out", entry.LeftOut)
					}
				}
				return nil
			}
			for _, rule := range rules() {
				listOne(out, long, rule.ID, rule.Level, rule.Sentence)
			}
			return nil
		},
	}
	command.Flags().BoolVar(&long, "long", false, "print level and rule too")
	command.Flags().BoolVar(
		&entries,
		"catalogue",
		false,
		"list the requirements and attacks instead of the checks",
	)
	command.Flags().BoolVar(
		&advisories,
		"advisories",
		false,
		"list the weaknesses of other software that the checks replay",
	)
	command.Flags().BoolVar(&schema, "schema", false, "print the JSON Schema of --report json=FILE instead")
	command.MarkFlagsMutuallyExclusive("catalogue", "advisories", "schema")
	return command
}

func listOne(out io.Writer, long bool, id string, level check.Level, sentence string) {
	if long {
		fmt.Fprintf(out, "%-50s %-6s %s\n", id, level, sentence)
		return
	}
	fmt.Fprintln(out, id)
}

// listReason prints why no check tries an entry, or a part of it.
func listReason(out io.Writer, name, reason string) {
	if reason != "" {
		fmt.Fprintf(out, "%-57s %s: %s\n", "", name, reason)
	}
}

// rules returns the rules of all checks: of servers, of authorization servers, of clients.
func rules() []check.Rule { return slices.Concat(serverRules(), issuerRules(), clientRules()) }

func serverRules() []check.Rule {
	var all []check.Rule
	for _, tried := range servers.Checks() {
		all = append(all, tried.Rule)
	}
	return all
}

func issuerRules() []check.Rule {
	var all []check.Rule
	for _, tried := range issuers.Checks() {
		all = append(all, tried.Rule)
	}
	return all
}

func clientRules() []check.Rule {
	var all []check.Rule
	for _, tried := range clients.Checks() {
		all = append(all, tried.Rule)
	}
	return all
}
