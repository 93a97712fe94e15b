package main

import (
	"fmt"
	"io"
	"strings"

	"mcpentra/conformance/catalogue"
)

// softwareOf has the subjects of the sentences about faults.
var softwareOf = map[string]string{
	catalogue.Server:              "an MCP server that",
	catalogue.Client:              "an MCP client that",
	catalogue.AuthorizationServer: "an authorization server that",
}

// explainFaults prints the broken software that a check catches, and the published weaknesses that
// it replays.
func explainFaults(out io.Writer, id string) {
	caught := catalogue.CaughtBy(id)
	replayed := catalogue.ReplayedBy(id)
	if len(caught)+len(replayed) == 0 {
		return
	}
	explainHeading(out, "What breaks it")
	role := ""
	for _, fault := range caught {
		if fault.Role != role {
			role = fault.Role
			fmt.Fprintf(out, "  The check catches %s\n", softwareOf[role])
		}
		writeItem(out, fault.Sentence)
	}
	if len(replayed) > 0 {
		fmt.Fprintln(out, "  It replays")
	}
	for _, advisory := range replayed {
		names := strings.Join(advisory.Names, ", ")
		writeItem(out, fmt.Sprintf("%s (%s): %s", names, advisory.Software, advisory.Sentence))
	}
}
