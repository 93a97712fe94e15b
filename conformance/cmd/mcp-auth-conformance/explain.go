package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

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

func newExplainCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "explain ID",
		Short: "Explain a check, a requirement, an attack or an advisory",
		Args:  arguments(1, 1, "one ID, as printed by list"),
		Example: "  mcp-auth-conformance explain server/token/expired\n  mcp-auth-conformance explain RS-012\n" +
			"  mcp-auth-conformance explain CVE-2025-4143",
		RunE: func(command *cobra.Command, given []string) error {
			out := command.OutOrStdout()
			id := given[0]
			for _, tried := range servers.Checks() {
				if tried.ID == id {
					explainRule(out, tried.Rule)
					explainNeeds(out, tried)
					return nil
				}
			}
			for _, tried := range issuers.Checks() {
				if tried.ID == id {
					explainRule(out, tried.Rule)
					for _, need := range tried.Needs {
						explainLine(out, "needs", string(need))
					}
					return nil
				}
			}
			for _, tried := range clients.Checks() {
				if tried.ID == id {
					explainRule(out, tried.Rule)
					if len(tried.Abilities) > 0 {
						explainLine(out, "needs", fmt.Sprintf("abilities of the client: %v", tried.Abilities))
					}
					return nil
				}
			}
			if entry, found := catalogue.Find(id); found {
				explainEntry(out, entry)
				return nil
			}
			if advisory, found := catalogue.FindAdvisory(id); found {
				explainAdvisory(out, advisory)
				return nil
			}
			return fmt.Errorf(
				"there is no check, requirement, attack or advisory %q; list, list --catalogue and list --advisories "+
					"show the IDs",
				id,
			)
		},
	}
}

func explainRule(out io.Writer, rule check.Rule) {
	fmt.Fprintf(out, "%s\n\n%s\n\n", rule.ID, rule.Sentence)
	explainLine(out, "level", string(rule.Level))
	explainLine(out, "severity", string(rule.Severity))
	explainLine(out, "from", rule.Reference)
	explainLine(out, "revisions", revisionsOf(rule.Revisions))
	explainLine(out, "tries", strings.Join(rule.Covers, ", "))
	explainLine(out, "replays", strings.Join(catalogue.ReplayedBy(rule.ID), ", "))
}

func explainLine(out io.Writer, name, value string) {
	if value != "" {
		fmt.Fprintf(out, "%-10s %s\n", name, value)
	}
}

func explainNeeds(out io.Writer, tried servers.Check) {
	var tokens []string
	for _, kind := range tried.Tokens {
		tokens = append(tokens, string(kind))
	}
	if tokens != nil {
		explainLine(out, "needs", "tokens: "+strings.Join(tokens, ", "))
	}
	for _, known := range inputs {
		if slices.Contains(tried.Needs, known.need) {
			explainLine(out, "needs", known.text)
		}
	}
	if tried.Disruptive {
		explainLine(out, "disruptive", "runs only with --disruptive")
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

func explainEntry(out io.Writer, entry catalogue.Entry) {
	fmt.Fprintf(
		out,
		"%s\n\n%s\n\nlevel      %s\nrevisions  %s\n",
		entry.ID,
		entry.Sentence,
		entry.Level,
		revisionsOf(entry.Revisions),
	)
	if entry.Severity != "" {
		fmt.Fprintf(out, "severity   %s\n", entry.Severity)
	}
	explainLine(out, "no check", entry.Elsewhere)
	explainLine(out, "left out", entry.LeftOut)
	for _, rule := range catalogue.Covering(entry.ID, rules()) {
		fmt.Fprintf(out, "check      %s\n", rule.ID)
	}
}

func revisionsOf(revisions []check.Revision) string {
	if len(revisions) == 0 {
		return "all"
	}
	var names []string
	for _, revision := range revisions {
		names = append(names, string(revision))
	}
	return strings.Join(names, ", ")
}
