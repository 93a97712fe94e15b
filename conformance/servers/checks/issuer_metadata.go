package checks

import (
	"context"
	"fmt"
	"net/url"
	"slices"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// issuerMetadataChecks returns the checks of authorization-server/metadata: how the authorization
// server that a server names describes itself (RFC 8414, OpenID Connect Discovery).
func issuerMetadataChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/metadata/found",
				Level:     check.Must,
				Revisions: since(check.R20250618),
				Reference: "MCP 2025-11-25 authorization, Authorization Server Metadata Discovery; RFC 8414 section 3",
				Sentence:  "The authorization server's metadata is at one of the well-known locations.",
			},
			Run: issuerMetadataFound,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/metadata/issuer",
				Level:     check.Must,
				Revisions: since(check.R20250618),
				Reference: "RFC 8414 section 3.3; MCP 2026-07-28 authorization, Authorization Server Metadata " +
					"Validation",
				Sentence: "The issuer in the metadata equals the requested issuer, byte by byte.",
				Covers:   []string{"server-prm-issuer-discoverable"},
			},
			Run: issuerMetadataIssuer,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/metadata/members",
				Level:     check.Must,
				Revisions: since(check.R20250618),
				Reference: "RFC 8414 section 2",
				Sentence: "The metadata has token_endpoint, and for the code grant also authorization_endpoint and " +
					"response_types_supported with code. Endpoints are https, or http on loopback.",
			},
			Run: issuerMetadataMembers,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/metadata/pkce",
				Level:     check.Must,
				Revisions: since(check.R20251125),
				Reference: "MCP 2025-11-25 authorization, Authorization Code Protection",
				Sentence:  "The metadata advertises PKCE with S256; clients have to refuse a server that does not.",
			},
			Run: issuerMetadataPKCE,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/metadata/no-empty-arrays",
				Level:     check.Must,
				Revisions: since(check.R20250618),
				Reference: "RFC 8414 section 3.2",
				Sentence:  "The metadata omits members whose value would be an empty array.",
			},
			Run: issuerMetadataNoEmptyArrays,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/metadata/root",
				Level:     check.Should,
				Revisions: []check.Revision{check.R20250326},
				Reference: "MCP 2025-03-26 authorization, Server Metadata Discovery",
				Sentence: "A server for clients of 2025-03-26 has authorization server metadata at the root of its " +
					"own origin.",
				Covers: []string{"server-legacy-metadata-root"},
			},
			Run: issuerMetadataRoot,
		},
	}
}

// issuerMetadataFound tries authorization-server/metadata/found.
func issuerMetadataFound(ctx context.Context, p *bench.Probe) error {
	_, _, _, err := attack.FindIssuer(ctx, p)
	return err
}

// issuerMetadataIssuer tries authorization-server/metadata/issuer.
func issuerMetadataIssuer(ctx context.Context, p *bench.Probe) error {
	document, _, issuer, err := attack.FindIssuer(ctx, p)
	if err == nil && document.Issuer != issuer {
		return p.Mismatch(issuer, document.Issuer)
	}
	return err
}

// issuerMetadataMembers tries authorization-server/metadata/members.
func issuerMetadataMembers(ctx context.Context, p *bench.Probe) error {
	document, _, _, err := attack.FindIssuer(ctx, p)
	if err != nil {
		return err
	}
	// RFC 8414 section 2: without grant_types_supported, the server offers the code grant.
	offersCode := document.GrantTypes == nil || slices.Contains(document.GrantTypes, "authorization_code")
	endpoints := []struct{ name, address string }{{"token_endpoint", document.TokenEndpoint}}
	if offersCode {
		endpoints = append(endpoints, struct{ name, address string }{
			"authorization_endpoint",
			document.AuthorizationEndpoint,
		})
	}
	for _, endpoint := range endpoints {
		parsed, err := url.Parse(endpoint.address)
		if err != nil || !attack.IsSecure(parsed) || parsed.Fragment != "" {
			return p.Mismatch(
				endpoint.name+" with an https URL, or http on loopback",
				fmt.Sprintf("%q", endpoint.address),
			)
		}
	}
	if offersCode && !slices.Contains(document.ResponseTypes, "code") {
		return p.Mismatch("response_types_supported with code", fmt.Sprintf("%q", document.ResponseTypes))
	}
	return nil
}

// issuerMetadataPKCE tries authorization-server/metadata/pkce.
func issuerMetadataPKCE(ctx context.Context, p *bench.Probe) error {
	document, _, _, err := attack.FindIssuer(ctx, p)
	if err == nil && !slices.Contains(document.ChallengeMethods, "S256") {
		return p.Mismatch("code_challenge_methods_supported with S256", fmt.Sprintf("%q", document.ChallengeMethods))
	}
	return err
}

// issuerMetadataNoEmptyArrays tries authorization-server/metadata/no-empty-arrays.
func issuerMetadataNoEmptyArrays(ctx context.Context, p *bench.Probe) error {
	_, answer, _, err := attack.FindIssuer(ctx, p)
	if err != nil {
		return err
	}
	return attack.NoEmptyArrays(p, answer)
}

// issuerMetadataRoot tries authorization-server/metadata/root.
func issuerMetadataRoot(ctx context.Context, p *bench.Probe) error {
	endpoint, err := url.Parse(p.URL())
	if err != nil {
		return &check.CannotJudge{Reason: "the endpoint's URL is malformed", Err: err}
	}
	origin := endpoint.Scheme + "://" + endpoint.Host
	var document attack.IssuerDocument
	if _, err := p.JSON(ctx, origin+"/.well-known/oauth-authorization-server", &document); err != nil {
		return err
	}
	if document.Issuer != origin {
		return p.Mismatch("issuer "+origin, document.Issuer)
	}
	return nil
}
