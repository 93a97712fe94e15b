package checks

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// openChecks are checks of client/open.
func openChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/open/scheme",
				Level:     check.Must,
				Severity:  check.Critical,
				Revisions: since20260728,
				Reference: "MCP 2026-07-28 Security Best Practices, Authorization URL Validation; CVE-2025-6514",
				Sentence:  "An authorization page is opened only if it is https, or http on loopback.",
				Covers:    []string{"client-authorization-url-scheme", "CL-001"},
			},
			Run: noHarm(lab.Script{}, fetchedIssuer, openedAnything, pages(
				"javascript:alert(1)",
				"data:text/html,<script>alert(1)</script>",
				"file:///etc/passwd",
				"vbscript:msgbox(1)",
				"a:$(touch x)",
				"custom-app://open",
				"http://login.example.com/authorize",
				"http://192.0.2.1/authorize",
				"--help",
				"-e=x",
				"\\\\host\\share\\x",
				"https://login.example.com/\x00",
				"https://login.example.com/a\nb",
				" javascript:alert(1)",
				"JaVaScRiPt:alert(1)",
			)...),
		},
		{
			Rule: check.Rule{
				ID:        "client/open/allowlist",
				Level:     check.Should,
				Severity:  check.High,
				Revisions: since20260728,
				Reference: "MCP 2026-07-28 Security Best Practices, Authorization URL Validation",
				Sentence:  "The schemes that are opened are a list of what is allowed, and not of what is not.",
				Covers:    []string{"client-authorization-url-allowlist"},
			},
			Run: noHarm(
				lab.Script{},
				fetchedIssuer,
				openedAnything,
				pages("intent://scan/#Intent;end", "ms-msdt:/id", "ssh://login.example.com/")...,
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/open/shell",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "MCP 2026-07-28 Security Best Practices, Authorization URL Validation; CVE-2025-6514",
				Sentence:  "The authorization page is opened without a shell: nothing in its address is run.",
				Covers:    []string{"client-no-shell-open", "CL-001"},
			},
			Run: shellInAddress,
		},
		{
			Rule: check.Rule{
				ID:        "client/open/nothing-else",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "MCP 2026-07-28 Security Best Practices, Authorization URL Validation",
				Sentence: "No other address that a server gives, of documentation or of an error, is opened " +
					"or fetched.",
				Covers: []string{"CL-002"},
			},
			Run: noHarm(lab.Script{}, authorized, func(l *lab.Lab) string {
				if slices.ContainsFunc(l.Opened(), func(page string) bool { return strings.Contains(page, "/bait") }) {
					return "it was opened"
				}
				if len(l.Find(func(r *lab.Request) bool { return strings.Contains(r.Path, "/bait") })) > 0 {
					return "it was fetched"
				}
				return ""
			}, variant{"addresses of documentation, policies and errors", lab.Script{
				Resource: func(l *lab.Lab, _ string, document map[string]any) {
					for _, name := range []string{"resource_documentation", "resource_policy_uri", "resource_tos_uri"} {
						document[name] = l.Origin(lab.Trap) + "/bait"
					}
				},
				Metadata: func(l *lab.Lab, _ lab.Party, _ string, document map[string]any) {
					for _, name := range []string{"service_documentation", "op_policy_uri", "op_tos_uri"} {
						document[name] = l.Origin(lab.Trap) + "/bait"
					}
				},
				Token: func(l *lab.Lab, _ lab.Party, _ url.Values, answer map[string]any) int {
					clear(answer)
					answer["error"] = "invalid_request"
					answer["error_uri"] = l.Origin(lab.Trap) + "/bait"
					return http.StatusBadRequest
				},
			}}),
		},
	}
}

// pages are variants whose authorization page has an address that must not be opened.
func pages(addresses ...string) []variant {
	var all []variant
	for _, address := range addresses {
		all = append(
			all,
			variant{
				fmt.Sprintf("the authorization page %q", address),
				lab.Script{Metadata: func(_ *lab.Lab, _ lab.Party, _ string, document map[string]any) {
					document["authorization_endpoint"] = address
				}},
			},
		)
	}
	return all
}

func openedAnything(l *lab.Lab) string {
	if opened := l.Opened(); len(opened) > 0 {
		return "it was opened"
	}
	return ""
}

func shellInAddress(ctx context.Context, p *bench.Probe) error {
	if _, err := control(ctx, p, lab.Script{}); err != nil {
		return err
	}
	canary := filepath.Join(p.State, "canary")
	for _, text := range []string{
		"$(touch ${IFS}%s)",
		"`touch %s`",
		";touch %s;",
		"&touch %s&",
		"|touch %s|",
		`";touch %s;"`,
		`';touch %s;'`,
	} {
		text = strings.ReplaceAll(text, "%s", canary)
		l := try(ctx, p, lab.Script{Metadata: func(l *lab.Lab, party lab.Party, _ string, document map[string]any) {
			document["authorization_endpoint"] = l.Origin(party) + "/doors/in?x=" + text
		}})
		if _, err := os.Stat(canary); err == nil {
			return l.Insecure("nothing of the address to be run", "the command in it was run: "+text)
		}
	}
	return nil
}
