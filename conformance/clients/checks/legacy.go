package checks

import (
	"fmt"
	"slices"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// legacyChecks are checks of client/legacy.
func legacyChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/legacy/metadata-first",
				Level:     check.Must,
				Revisions: []check.Revision{check.R20250326},
				Reference: "MCP 2025-03-26 authorization, Server Metadata Discovery",
				Sentence:  "The server's metadata is asked for before any default path is used.",
				Covers:    []string{"client-legacy-metadata-first"},
			},
			Run: judge(lab.Script{DefaultEndpoints: true}, func(l *lab.Lab) error {
				for _, one := range l.Record() {
					switch one.Path {
					case issuerOAuth:
						return nil
					case "/authorize", "/token", "/register":
						return l.Mismatch("a request for "+issuerOAuth+" first", one.Method+" "+one.Path)
					}
				}
				return nil
			}),
		},
		{
			Rule: check.Rule{
				ID:        "client/legacy/base-url",
				Level:     check.Must,
				Revisions: []check.Revision{check.R20250326},
				Reference: "MCP 2025-03-26 authorization, Authorization Base URL",
				Sentence:  "Metadata and default endpoints stand at the server's URL without its path.",
				Covers:    []string{"client-legacy-base-url"},
			},
			Run: stillWorks(
				lab.Script{},
				func(l *lab.Lab) error {
					below := l.Find(func(r *lab.Request) bool {
						return slices.Contains(
							[]string{
								"/v1/authorize",
								"/v1/token",
								"/v1/register",
								"/v1/mcp/authorize",
								"/v1/mcp/token",
								"/v1/mcp/register",
							},
							r.Path,
						)
					})
					if len(below) > 0 {
						return l.Mismatch("default endpoints at the root", below[0].Path)
					}
					return nil
				},
				variant{"an endpoint at /v1/mcp", lab.Script{Path: "/v1/mcp"}},
				variant{
					"an endpoint at /v1/mcp, without metadata",
					lab.Script{Path: "/v1/mcp", IssuerAt: []string{}, DefaultEndpoints: true},
				},
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/legacy/default-endpoints",
				Level:     check.Must,
				Revisions: []check.Revision{check.R20250326},
				Reference: "MCP 2025-03-26 authorization, Fallbacks for Servers without Metadata Discovery",
				Sentence:  "Where there is no metadata, /authorize, /token and /register are used, with PKCE.",
				Covers:    []string{"client-legacy-default-endpoints"},
			},
			Run: stillWorks(lab.Script{}, func(l *lab.Lab) error {
				if got := l.Authorizations(lab.Server); len(got) > 0 &&
					got[0].Query.Get("code_challenge_method") != "S256" {
					return l.Mismatch(
						"code_challenge_method=S256",
						fmt.Sprintf("%q", got[0].Query.Get("code_challenge_method")),
					)
				}
				return nil
			}, variant{"no metadata", lab.Script{IssuerAt: []string{}, DefaultEndpoints: true}}),
		},
		{
			Rule: check.Rule{
				ID:        "client/legacy/revision-header",
				Level:     check.Should,
				Revisions: []check.Revision{check.R20250326},
				Reference: "MCP 2025-03-26 authorization, MCP specific headers for discovery",
				Sentence:  "Requests for metadata carry MCP-Protocol-Version.",
				Covers:    []string{"client-legacy-version-header"},
			},
			Run: judge(lab.Script{}, func(l *lab.Lab) error {
				for _, one := range l.Find(func(r *lab.Request) bool { return r.Path == issuerOAuth }) {
					if one.Header.Get("Mcp-Protocol-Version") == "" {
						return l.Mismatch("MCP-Protocol-Version with "+issuerOAuth, "none")
					}
				}
				return nil
			}),
		},
	}
}
