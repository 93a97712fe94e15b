package main

import (
	"io"
	"slices"
	"strings"

	"mcpentra/conformance/catalogue"
	"mcpentra/conformance/clients"
	"mcpentra/conformance/servers"
)

// explainTest prints how a check is tested, with the control that comes first.
func (e *explainer) explainTest(out io.Writer, id string) {
	explainHeading(out, "How it is tested")
	writeWrapped(out, "  ", catalogue.HowTested(id))
	if control := e.controlOf(id); control != "" {
		writeWrapped(out, "  ", control)
	}
}

// controlOf says which control a check has, or returns "".
func (e *explainer) controlOf(id string) string {
	if slices.ContainsFunc(e.clients, func(tried clients.Check) bool { return tried.ID == id }) {
		return "Control: the client must reach its goal where nothing is wrong."
	}
	if strings.HasPrefix(id, "server/") && slices.ContainsFunc(e.servers, func(tried servers.Check) bool {
		return tried.ID == id && len(tried.Tokens) > 0
	}) {
		return "Control: before bad input counts, the same request without the fault must succeed."
	}
	return ""
}
