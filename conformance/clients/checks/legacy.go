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
				Sentence:  "The client asks for the server's metadata before it uses a default path.",
				Covers:    []string{"client-legacy-metadata-first"},
			},
			Run: judge(lab.Script{DefaultEndpoints: true}, wantMetadataFirst),
		},
		{
			Rule: check.Rule{
				ID:        "client/legacy/base-url",
				Level:     check.Must,
				Revisions: []check.Revision{check.R20250326},
				Reference: "MCP 2025-03-26 authorization, Authorization Base URL",
				Sentence:  "Metadata and default endpoints are at the server's URL without its path.",
				Covers:    []string{"client-legacy-base-url"},
			},
			Run: stillWorks(
				lab.Script{},
				wantEndpointsAtRoot,
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
				Sentence:  "Without metadata the client uses /authorize, /token and /register, with PKCE.",
				Covers:    []string{"client-legacy-default-endpoints"},
			},
			Run: stillWorks(
				lab.Script{},
				wantDefaultPKCE,
				variant{"no metadata", lab.Script{IssuerAt: []string{}, DefaultEndpoints: true}},
			),
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
			Run: judge(lab.Script{}, wantRevisionWithMetadata),
		},
	}
}

// wantMetadataFirst wants a request for metadata before any other at the authorization server.
func wantMetadataFirst(l *lab.Lab) error {
	for _, request := range l.Record() {
		switch request.Path {
		case issuerOAuth:
			return nil
		case "/authorize", "/token", "/register":
			return l.Mismatch("a request for "+issuerOAuth+" first", request.Method+" "+request.Path)
		}
	}
	return nil
}

// wantEndpointsAtRoot wants no request to a default endpoint below the path of the MCP endpoint.
func wantEndpointsAtRoot(l *lab.Lab) error {
	wrong := []string{
		"/v1/authorize", "/v1/token", "/v1/register",
		"/v1/mcp/authorize", "/v1/mcp/token", "/v1/mcp/register",
	}
	below := l.Find(func(r *lab.Request) bool { return slices.Contains(wrong, r.Path) })
	if len(below) > 0 {
		return l.Mismatch("default endpoints at the root", below[0].Path)
	}
	return nil
}

// wantDefaultPKCE wants PKCE with S256 at the default authorization endpoint.
func wantDefaultPKCE(l *lab.Lab) error {
	for _, request := range l.Authorizations(lab.Server) {
		if method := request.Query.Get("code_challenge_method"); method != "S256" {
			return l.Mismatch("code_challenge_method=S256", fmt.Sprintf("%q", method))
		}
	}
	return nil
}

// wantRevisionWithMetadata wants MCP-Protocol-Version in each request for metadata.
func wantRevisionWithMetadata(l *lab.Lab) error {
	for _, request := range l.Find(func(r *lab.Request) bool { return r.Path == issuerOAuth }) {
		if request.Header.Get("Mcp-Protocol-Version") == "" {
			return l.Mismatch("MCP-Protocol-Version with "+issuerOAuth, "none")
		}
	}
	return nil
}
