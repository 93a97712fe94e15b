package main

import (
	"fmt"
	"io"
	"strings"

	"mcpentra/conformance/catalogue"
)

// listAdvisories prints the advisories. The long form has the software, the weakness and what
// replays it.
func listAdvisories(out io.Writer, long bool) {
	for _, advisory := range catalogue.Advisories() {
		names := strings.Join(advisory.Names, " ")
		if !long {
			fmt.Fprintln(out, names)
			continue
		}
		fmt.Fprintf(out, "%s\n  %s: %s\n", names, advisory.Software, advisory.Sentence)
		for _, replay := range advisory.Replays {
			fmt.Fprintf(out, "  %s%s\n", replay.Check, replay.Test)
		}
		if advisory.Elsewhere != "" {
			fmt.Fprintf(out, "  not replayed: %s\n", advisory.Elsewhere)
		}
	}
}

// explainAdvisory prints an advisory, and what replays it.
func explainAdvisory(out io.Writer, advisory catalogue.Advisory) {
	writeWrapped(out, "", strings.Join(advisory.Names, ", "))
	fmt.Fprintln(out)
	writeWrapped(out, "", advisory.Sentence)
	fmt.Fprintln(out)
	explainLine(out, "software", advisory.Software)
	explainLine(out, "no replay", advisory.Elsewhere)
	for _, replay := range advisory.Replays {
		explainLine(out, "check", replay.Check)
		explainLine(out, "  catches", replay.Twin)
		explainLine(out, "test", replay.Test)
	}
}
