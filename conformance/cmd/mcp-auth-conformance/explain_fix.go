package main

import (
	"fmt"
	"io"
	"strings"

	"mcpentra/conformance/catalogue"
	"mcpentra/conformance/check"
)

// nameOf has the names of the SDKs for people.
var nameOf = map[catalogue.SDK]string{
	catalogue.TypeScript: "TypeScript SDK",
	catalogue.FastMCP:    "FastMCP (Python)",
	catalogue.MCPGo:      "mcp-go",
	catalogue.GoSDK:      "go-sdk",
}

// explainFix prints what to change if a check of the topic fails.
func explainFix(out io.Writer, id string, sdks []catalogue.SDK) {
	fix, found := catalogue.FixFor(id)
	if !found {
		return
	}
	explainHeading(out, "What to change")
	writeWrapped(out, "  ", fix.Change+" "+fix.General)
	for _, advice := range fix.For(sdks...) {
		var names []string
		for _, sdk := range advice.SDKs {
			names = append(names, nameOf[sdk])
		}
		fmt.Fprintf(out, "\n  %s\n", strings.Join(names, ", "))
		writeWrapped(out, "    ", advice.Text)
	}
	if fix.Ours != "" {
		name := "mcp-entra-server"
		if strings.HasPrefix(id, "client/") {
			name = "mcp-entra-client"
		}
		fmt.Fprintf(out, "\n  %s\n", name)
		writeWrapped(out, "    ", fix.Ours)
	}
}

// explainBelow prints the checks of a topic and its fix, or the topics of a role. It reports
// whether any check's ID begins with the segments.
func (e *explainer) explainBelow(out io.Writer, prefix string) bool {
	var below []check.Rule
	for _, rule := range e.rules {
		if strings.HasPrefix(rule.ID, prefix+"/") {
			below = append(below, rule)
		}
	}
	if below == nil {
		return false
	}
	fmt.Fprintf(out, "%s\n\n", prefix)
	if _, isTopic := catalogue.FixFor(prefix); isTopic {
		for _, rule := range below {
			fmt.Fprintf(out, "%s (%s)\n", rule.ID, rule.Level)
			writeWrapped(out, "  ", rule.Sentence)
		}
		explainFix(out, prefix, e.sdks)
		return true
	}
	var known string
	for _, rule := range below {
		topic := catalogue.Topic(rule.ID)
		if strings.Contains(known, topic+"\n") {
			continue
		}
		known += topic + "\n"
		fmt.Fprintln(out, topic)
		if fix, found := catalogue.FixFor(topic); found {
			writeWrapped(out, "  ", fix.Change)
		}
	}
	return true
}
