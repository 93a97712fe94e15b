package checks

import (
	"context"
	"fmt"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// toolsChecks are checks of client/tools.
func toolsChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/tools/reference",
				Level:     check.Should,
				Severity:  check.High,
				Reference: "MCP server tools; JSON Schema 2020-12 section 9.1.2",
				Sentence:  "A remote reference in a tool's schema is not fetched.",
				Covers:    []string{"CL-051"},
			},
			Needs: []bench.Need{bench.Listing},
			Run: noHarm(
				lab.Script{},
				requestedToken,
				referenceFetched,
				variant{"a remote $ref in a schema", lab.Script{Tool: remoteReference}},
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/tools/header",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: since20260728,
				Reference: "MCP 2026-07-28 transports, Custom Headers from Tool Parameters",
				Sentence: "A client that calls only listed tools drops a tool, and does not call it, if its " +
					"x-mcp-header is not a valid header name or is repeated.",
				Covers: []string{"CL-051"},
			},
			Needs: []bench.Need{bench.Listing, bench.Calling},
			Run:   toolsHeader,
		},
	}
}

// referenceFetched reports a request to the trap.
func referenceFetched(l *lab.Lab) string {
	if l.Saw(func(r *lab.Request) bool { return r.Party == lab.Trap }) {
		return "it was fetched"
	}
	return ""
}

// remoteReference gives the tool a schema with references to the trap.
func remoteReference(l *lab.Lab, tool map[string]any) {
	tool["inputSchema"] = map[string]any{
		"type":       "object",
		"$schema":    l.Origin(lab.Trap) + "/schema",
		"properties": map[string]any{"a": map[string]any{"$ref": l.Origin(lab.Trap) + "/schema#/a"}},
	}
}

// toolsHeader tries client/tools/header.
func toolsHeader(ctx context.Context, p *bench.Probe) error {
	if _, err := completeTask(ctx, p, lab.Script{Tool: mirrorParameters("Region", "Zone")}); err != nil {
		return err
	}
	if err := wantListedOnly(ctx, p); err != nil {
		return err
	}
	return noHarm(
		lab.Script{},
		requestedToken,
		toolCalled,
		mirroredHeader("line breaks in it", "A\r\nX-Injected: 1"),
		mirroredHeader("a space in it", "A B"),
		mirroredHeader("a colon in it", "A:"),
		mirroredHeader("nothing in it", ""),
		mirroredHeader("the name of another header", "Region", "region"),
	)(ctx, p)
}

// wantListedOnly skips a client that calls the tool without regard to the list of tools. Its call
// does not show whether it has dropped a tool from the list.
func wantListedOnly(ctx context.Context, p *bench.Probe) error {
	l := runClient(ctx, p, lab.Script{Tool: otherTool})
	if l.Called() {
		return &check.NotApplicable{Reason: "the client also calls a tool that the server does not list"}
	}
	return nil
}

// otherTool gives the tool another name.
func otherTool(_ *lab.Lab, tool map[string]any) { tool["name"] = "another-tool" }

// mirrorParameters gives the tool one parameter for each of these x-mcp-header names.
func mirrorParameters(names ...string) func(*lab.Lab, map[string]any) {
	return func(_ *lab.Lab, tool map[string]any) {
		properties := map[string]any{}
		for i, name := range names {
			properties[fmt.Sprintf("p%d", i)] = map[string]any{"type": "string", "x-mcp-header": name}
		}
		tool["inputSchema"] = map[string]any{"type": "object", "properties": properties}
	}
}

// mirroredHeader returns a variant with these x-mcp-header names.
func mirroredHeader(name string, headers ...string) variant {
	return variant{"an x-mcp-header with " + name, lab.Script{Tool: mirrorParameters(headers...)}}
}
