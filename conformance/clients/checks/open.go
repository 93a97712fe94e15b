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
				Sentence:  "An authorization page is opened only if its URL is https, or http on loopback.",
				Covers:    []string{"client-authorization-url-scheme", "CL-001"},
			},
			Run: noHarm(lab.Script{}, fetchedIssuer, pageOpened, badPages(
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
				"java\tscript:alert(1)",
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
				Sentence:  "The client opens URLs by an allowlist of schemes, not by a blocklist.",
				Covers:    []string{"client-authorization-url-allowlist"},
			},
			Run: noHarm(
				lab.Script{},
				fetchedIssuer,
				pageOpened,
				badPages("intent://scan/#Intent;end", "ms-msdt:/id", "ssh://login.example.com/")...,
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/open/shell",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "MCP 2026-07-28 Security Best Practices, Authorization URL Validation; CVE-2025-6514",
				Sentence:  "The client opens the authorization page without a shell: nothing in the URL is executed.",
				Covers:    []string{"client-no-shell-open", "CL-001"},
			},
			Run: openShell,
		},
		{
			Rule: check.Rule{
				ID:        "client/open/nothing-else",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "MCP 2026-07-28 Security Best Practices, Authorization URL Validation",
				Sentence: "The client opens and fetches no other URL that a server gives, for example of " +
					"documentation or of an error.",
				Covers: []string{"CL-002"},
			},
			Run: noHarm(
				lab.Script{},
				authorized,
				baitVisited,
				variant{
					"URLs of documentation, policies and errors",
					lab.Script{Resource: baitInResource, Metadata: baitInMetadata, Token: refuseWithBait},
				},
			),
		},
	}
}

// baitVisited reports that a page at /bait was opened or fetched.
func baitVisited(l *lab.Lab) string {
	if slices.ContainsFunc(l.Opened(), func(page string) bool { return strings.Contains(page, "/bait") }) {
		return "it was opened"
	}
	if l.Saw(func(r *lab.Request) bool { return strings.Contains(r.Path, "/bait") }) {
		return "it was fetched"
	}
	return ""
}

// baitInResource adds baits to the protected resource metadata.
func baitInResource(l *lab.Lab, _ string, document map[string]any) {
	for _, name := range []string{"resource_documentation", "resource_policy_uri", "resource_tos_uri"} {
		document[name] = l.Origin(lab.Trap) + "/bait"
	}
}

// baitInMetadata adds baits to the authorization server metadata.
func baitInMetadata(l *lab.Lab, _ lab.Party, _ string, document map[string]any) {
	for _, name := range []string{"service_documentation", "op_policy_uri", "op_tos_uri"} {
		document[name] = l.Origin(lab.Trap) + "/bait"
	}
}

// refuseWithBait answers a token request with an error whose error_uri is a bait.
func refuseWithBait(l *lab.Lab, _ lab.Party, _ url.Values, answer map[string]any) int {
	clear(answer)
	answer["error"] = "invalid_request"
	answer["error_uri"] = l.Origin(lab.Trap) + "/bait"
	return http.StatusBadRequest
}

// badPages returns variants whose authorization endpoint is a URL that must not be opened.
func badPages(addresses ...string) []variant {
	var all []variant
	for _, address := range addresses {
		change := func(_ *lab.Lab, _ lab.Party, _ string, document map[string]any) {
			document["authorization_endpoint"] = address
		}
		name := fmt.Sprintf("the authorization page %q", address)
		all = append(all, variant{name, lab.Script{Metadata: change}})
	}
	return all
}

// pageOpened reports any opened page.
func pageOpened(l *lab.Lab) string {
	if len(l.Opened()) > 0 {
		return "it was opened"
	}
	return ""
}

// openShell tries client/open/shell: a command in the URL creates a file if a shell runs it.
func openShell(ctx context.Context, p *bench.Probe) error {
	if err := wantControl(ctx, p, lab.Script{}); err != nil {
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
		inject := func(l *lab.Lab, party lab.Party, _ string, document map[string]any) {
			document["authorization_endpoint"] = l.Origin(party) + "/doors/in?x=" + text
		}
		l := runClient(ctx, p, lab.Script{Metadata: inject})
		if _, err := os.Stat(canary); err == nil {
			return l.Insecure("the URL to be opened without a shell", "the command in it ran: "+text)
		}
	}
	return nil
}
