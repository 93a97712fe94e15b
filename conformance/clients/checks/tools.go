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
				Level:     check.Must,
				Severity:  check.High,
				Reference: "MCP server tools; JSON Schema 2020-12 section 9.2.2",
				Sentence:  "A reference in a tool's schema to another address is not fetched.",
				Covers:    []string{"CL-051"},
			},
			Run: noHarm(lab.Script{}, gotToken, func(l *lab.Lab) string {
				if len(l.Find(func(r *lab.Request) bool { return r.Party == lab.Trap })) > 0 {
					return "it was fetched"
				}
				return ""
			}, variant{"a remote $ref in a schema", lab.Script{Tool: func(l *lab.Lab, tool map[string]any) {
				tool["inputSchema"] = map[string]any{
					"type":       "object",
					"$schema":    l.Origin(lab.Trap) + "/schema",
					"properties": map[string]any{"a": map[string]any{"$ref": l.Origin(lab.Trap) + "/schema#/a"}},
				}
			}}}),
		},
		{
			Rule: check.Rule{
				ID:        "client/tools/header",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: since20260728,
				Reference: "MCP 2026-07-28 transports, Custom Headers from Tool Parameters",
				Sentence: "A tool whose x-mcp-header cannot be a header's name, or is there twice, is dropped, and " +
					"so not called.",
				Covers: []string{"CL-051"},
			},
			Run: toolsHeader,
		},
	}
}

// toolsHeader tries client/tools/header.
func toolsHeader(ctx context.Context, p *bench.Probe) error {
	if _, err := control(ctx, p, lab.Script{Tool: parameters("Region", "Zone")}); err != nil {
		return err
	}
	return noHarm(
		lab.Script{},
		gotToken,
		func(l *lab.Lab) string {
			if l.Called() {
				return "the tool was called"
			}
			return ""
		},
		mirrored("line breaks in it", "A\r\nX-Injected: 1"),
		mirrored("a blank in it", "A B"),
		mirrored("a colon in it", "A:"),
		mirrored("nothing in it", ""),
		mirrored("the name of another", "Region", "region"),
	)(ctx, p)
}

// parameters gives the tool parameters that are mirrored in headers of these names.
func parameters(names ...string) func(*lab.Lab, map[string]any) {
	return func(_ *lab.Lab, tool map[string]any) {
		properties := map[string]any{}
		for i, name := range names {
			properties[fmt.Sprintf("p%d", i)] = map[string]any{"type": "string", "x-mcp-header": name}
		}
		tool["inputSchema"] = map[string]any{"type": "object", "properties": properties}
	}
}

func mirrored(name string, headers ...string) variant {
	return variant{"an x-mcp-header with " + name, lab.Script{Tool: parameters(headers...)}}
}
