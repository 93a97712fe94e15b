package checks

import (
	"context"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// documentPageChecks returns the checks of authorization-server/document: what a page shows about a
// client with a document.
func documentPageChecks() []bench.Check {
	needs := []bench.Need{bench.Scripted, bench.DocumentHost}
	revisions := since(check.R20251125)
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/document/redirect-host",
				Level:     check.Must,
				Severity:  check.Medium,
				Revisions: revisions,
				Reference: "MCP 2025-11-25 authorization, Localhost Redirect URI Risks",
				Sentence:  "A page shows the host of the redirect URI before the code.",
				Covers:    []string{"as-cimd-redirect-host-shown", "AS-012"},
			},
			Needs: needs,
			Run:   documentRedirectHost,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/document/client-host",
				Level:     check.Should,
				Severity:  check.Medium,
				Revisions: revisions,
				Reference: documentDraft + "section 6.4",
				Sentence:  "A page shows the host of the client ID before the code.",
				Covers:    []string{"as-cimd-client-host-shown"},
			},
			Needs: needs,
			Run:   documentClientHost,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/document/loopback-warning",
				Level:     check.Policy,
				Severity:  check.Medium,
				Revisions: revisions,
				Reference: "MCP 2025-11-25 authorization, Localhost Redirect URI Risks",
				Sentence:  "A client with loopback redirect URIs only gets another page than a site: it has a warning.",
				Covers:    []string{"as-cimd-localhost-warning", "AS-087"},
			},
			Needs: needs,
			Run:   documentLoopbackWarning,
		},
	}
}

// shows reports whether a page before the code shows a host.
func shows(made *bench.Authorization, host string) bool {
	for _, exchange := range made.Browser.Exchanges() {
		if strings.Contains(strings.ToLower(exchange.Text()), host) {
			return true
		}
	}
	return false
}

// documentRedirectHost tries authorization-server/document/redirect-host.
func documentRedirectHost(ctx context.Context, p *bench.Probe) error {
	_, _, err := p.DocumentClient(ctx)
	if err != nil {
		return err
	}
	const redirect = "https://redirect-host.example/callback"
	document := p.NewDocument(bench.GoodDocument(bench.Members{"redirect_uris": []string{redirect}}))
	made, err := p.Authorize(ctx, document.Client(redirect))
	switch {
	case err != nil:
		return err
	case !made.Browser.HasActed():
		return &check.NotApplicable{Reason: "no page is shown before the code"}
	case !shows(made, "redirect-host.example"):
		return p.Mismatch("redirect-host.example on a page before the code", "pages without it")
	}
	return nil
}

// documentClientHost tries authorization-server/document/client-host.
func documentClientHost(ctx context.Context, p *bench.Probe) error {
	if _, _, err := p.DocumentClient(ctx); err != nil {
		return err
	}
	const redirect = "https://redirect-host.example/callback"
	document := p.NewDocument(bench.GoodDocument(bench.Members{"redirect_uris": []string{redirect}}))
	made, err := p.Authorize(ctx, document.Client(redirect))
	if err != nil {
		return err
	}
	host := document.Host()
	if !made.Browser.HasActed() {
		return &check.NotApplicable{Reason: "no page is shown before the code"}
	}
	if !shows(made, host) {
		return p.Mismatch(host+" on a page before the code", "pages without it")
	}
	return nil
}

// documentLoopbackWarning tries authorization-server/document/loopback-warning. It compares the
// pages of two clients, without their addresses.
func documentLoopbackWarning(ctx context.Context, p *bench.Probe) error {
	if _, _, err := p.DocumentClient(ctx); err != nil {
		return err
	}
	var texts []string
	for _, redirect := range []string{bench.SiteRedirect, bench.LoopbackRedirect} {
		document := p.NewDocument(bench.GoodDocument(bench.Members{"redirect_uris": []string{redirect}}))
		made, err := p.Approved(ctx, document.Client(redirect))
		if err != nil {
			return err
		}
		var text strings.Builder
		for _, exchange := range made.Browser.Exchanges() {
			if exchange.HasForm() {
				text.WriteString(withoutAddresses(exchange.Text()))
			}
		}
		texts = append(texts, text.String())
	}
	if texts[0] == texts[1] {
		return p.Mismatch("a warning about a program on this computer", "the same text as for a site")
	}
	return nil
}

// withoutAddresses removes the words of a text that can be part of an address.
func withoutAddresses(text string) string {
	var kept []string
	for _, word := range strings.Fields(text) {
		if !strings.ContainsAny(strings.TrimRight(word, "."), "./:") {
			kept = append(kept, word)
		}
	}
	return strings.Join(kept, " ")
}
