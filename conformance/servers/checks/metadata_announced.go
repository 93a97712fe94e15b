package checks

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// metadataAnnouncedChecks returns the checks of server/metadata about what the challenge and the
// document say together.
func metadataAnnouncedChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/metadata/announced",
				Level:     check.Must,
				Revisions: since(check.R20251125),
				Reference: "RFC 9728 section 5.1; MCP authorization, Protected Resource Metadata Discovery " +
					"Requirements",
				Sentence: "The URL of the metadata in a challenge is absolute and https, or on loopback, and " +
					"the document is there.",
				Covers: []string{"server-401-resource-metadata-resolves", "server-prm-https"},
			},
			Run: metadataAnnounced,
		},
		{
			Rule: check.Rule{
				ID:        "server/metadata/scopes",
				Level:     check.Should,
				Revisions: since(check.R20250618),
				Reference: "RFC 9728 section 2; MCP authorization, Scope Selection Strategy",
				Sentence:  "The challenge or the metadata names the scopes that a client needs.",
				Covers:    []string{"server-prm-scopes-supported"},
			},
			Run: metadataScopes,
		},
	}
}

// metadataAnnounced applies to servers whose challenge has resource_metadata, which is one of two
// ways to be found. Since MCP 2025-11-25, server/challenge/resource-metadata does not apply.
func metadataAnnounced(ctx context.Context, p *bench.Probe) error {
	_, challenge, err := attack.Unauthenticated(ctx, p)
	if err != nil {
		return err
	}
	announced, found := challenge["resource_metadata"]
	if !found {
		return &check.NotApplicable{Reason: "the challenge names no metadata"}
	}
	address, err := url.Parse(announced)
	if err != nil || !attack.IsSecure(address) {
		return p.Mismatch("resource_metadata with an https URL, or http on loopback", fmt.Sprintf("%q", announced))
	}
	header := http.Header{"Accept": {"application/json"}}
	answer, err := p.Send(ctx, bench.Request{Method: http.MethodGet, URL: announced, Header: header})
	if err != nil {
		return err
	}
	if answer.Status/100 == 3 {
		return p.MismatchAt(check.Should, "status 200", fmt.Sprintf("status %d", answer.Status))
	}
	var document attack.ProtectedResource
	if _, err := p.JSON(ctx, announced, &document); err != nil {
		return err
	}
	if document.Resource == "" {
		return p.Mismatch("a document with the member resource", "one without")
	}
	return nil
}

// metadataScopes tries server/metadata/scopes.
func metadataScopes(ctx context.Context, p *bench.Probe) error {
	document, _, err := attack.FindMetadata(ctx, p)
	if err != nil {
		return err
	}
	_, challenge, err := attack.Unauthenticated(ctx, p)
	if err != nil {
		return err
	}
	if len(document.Scopes) == 0 && strings.TrimSpace(challenge["scope"]) == "" {
		return p.Mismatch("scope in the challenge, or scopes_supported in the metadata", "neither")
	}
	return nil
}
