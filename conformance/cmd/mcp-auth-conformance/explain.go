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
	"mcpentra/conformance/servers"
)

func newExplainCommand() *cobra.Command {
	var names []string
	command := &cobra.Command{
		Use:   "explain ID",
		Short: "Explain a check, a topic, a requirement, an attack or an advisory",
		Long: "Explain a check: the rule and its source, how it is tested, what breaks it, and what to change.\n" +
			"With the first segments of an ID, list the topics or checks below, and what to change.\n" +
			"The ID can also be of a requirement or an attack of the catalogue, or of an advisory.",
		Args: arguments(1, 1, "one ID, as printed by list"),
		Example: "  mcp-auth-conformance explain server/token/expired\n" +
			"  mcp-auth-conformance explain server/token --sdk mcp-go\n" +
			"  mcp-auth-conformance explain RS-012\n  mcp-auth-conformance explain CVE-2025-4143",
		RunE: func(command *cobra.Command, given []string) error {
			sdks, err := readSDKs(names)
			if err != nil {
				return err
			}
			return newExplainer(sdks).explain(command.OutOrStdout(), strings.TrimSuffix(given[0], "/"))
		},
	}
	command.Flags().StringSliceVar(
		&names,
		"sdk",
		nil,
		"say what to change with this `SDK` only: typescript, fastmcp, mcp-go, go-sdk, or go for both; can be repeated",
	)
	return command
}

// readSDKs reads the values of --sdk. Without any it returns all SDKs.
func readSDKs(names []string) ([]catalogue.SDK, error) {
	var sdks []catalogue.SDK
	for _, name := range names {
		switch sdk := catalogue.SDK(strings.ToLower(name)); {
		case sdk == "go":
			sdks = append(sdks, catalogue.MCPGo, catalogue.GoSDK)
		case slices.Contains(catalogue.SDKs(), sdk):
			sdks = append(sdks, sdk)
		default:
			return nil, fmt.Errorf("--sdk: want typescript, fastmcp, mcp-go, go-sdk or go, got %q", name)
		}
	}
	if sdks == nil {
		return catalogue.SDKs(), nil
	}
	return sdks, nil
}

// An explainer prints what people ask about an ID.
type explainer struct {
	servers []servers.Check
	issuers []issuers.Check
	clients []clients.Check
	rules   []check.Rule
	// sdks are those whose advice it prints.
	sdks []catalogue.SDK
}

func newExplainer(sdks []catalogue.SDK) *explainer {
	return &explainer{
		servers: servers.Checks(),
		issuers: issuers.Checks(),
		clients: clients.Checks(),
		rules:   rules(),
		sdks:    sdks,
	}
}

// explain prints the check, topic, entry or advisory that an ID names.
func (e *explainer) explain(out io.Writer, id string) error {
	if e.explainCheck(out, id) {
		e.explainTest(out, id)
		explainFaults(out, id)
		explainFix(out, id, e.sdks)
		return nil
	}
	if entry, found := catalogue.Find(id); found {
		explainEntry(out, entry, catalogue.Covering(id, e.rules))
		return nil
	}
	if advisory, found := catalogue.FindAdvisory(id); found {
		explainAdvisory(out, advisory)
		return nil
	}
	if e.explainBelow(out, id) {
		return nil
	}
	return unknownID(id, e.knownIDs())
}

// explainCheck prints the rule of a check and what the check needs. It reports whether there is a
// check with the ID.
func (e *explainer) explainCheck(out io.Writer, id string) bool {
	for _, tried := range e.servers {
		if tried.ID == id {
			explainRule(out, tried.Rule)
			explainNeeds(out, tried)
			return true
		}
	}
	for _, tried := range e.issuers {
		if tried.ID == id {
			explainRule(out, tried.Rule)
			for _, need := range tried.Needs {
				explainLine(out, "needs", string(need))
			}
			return true
		}
	}
	for _, tried := range e.clients {
		if tried.ID == id {
			explainRule(out, tried.Rule)
			if len(tried.Abilities) > 0 {
				explainLine(out, "needs", fmt.Sprintf("abilities of the client: %v", tried.Abilities))
			}
			return true
		}
	}
	return false
}

func explainRule(out io.Writer, rule check.Rule) {
	fmt.Fprintf(out, "%s\n\n", rule.ID)
	writeWrapped(out, "", rule.Sentence)
	fmt.Fprintln(out)
	explainLine(out, "level", string(rule.Level))
	explainLine(out, "severity", string(rule.Severity))
	explainLine(out, "from", rule.Reference)
	explainLine(out, "revisions", revisionsOf(rule.Revisions))
	explainLine(out, "tries", strings.Join(rule.Covers, ", "))
}

// explainLine prints a name and its value. Further lines of a long value are below the first.
func explainLine(out io.Writer, name, value string) {
	if value == "" {
		return
	}
	for _, line := range wrap(value, lineWidth-11) {
		fmt.Fprintf(out, "%-10s %s\n", name, line)
		name = ""
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

func explainEntry(out io.Writer, entry catalogue.Entry, covering []check.Rule) {
	fmt.Fprintf(out, "%s\n\n", entry.ID)
	writeWrapped(out, "", entry.Sentence)
	fmt.Fprintln(out)
	explainLine(out, "level", string(entry.Level))
	explainLine(out, "revisions", revisionsOf(entry.Revisions))
	explainLine(out, "severity", string(entry.Severity))
	explainLine(out, "no check", entry.Elsewhere)
	explainLine(out, "left out", entry.LeftOut)
	for _, rule := range covering {
		explainLine(out, "check", rule.ID)
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
