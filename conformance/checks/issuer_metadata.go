package checks

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"mcpentra/conformance/engine"
)

// issuerMetadata: the description of the authorization server that a server names (RFC 8414, OpenID Connect Discovery).
func issuerMetadata() []engine.Check {
	return []engine.Check{
		{
			ID: "authorization-server/metadata/found", Role: engine.AuthorizationServer, Level: engine.Must, Revisions: withMetadata,
			Reference: "MCP 2025-11-25 authorization, Authorization Server Metadata Discovery; RFC 8414 section 3",
			Sentence:  "The authorization server's metadata is at one of the well-known locations.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				_, _, _, err := findIssuer(ctx, p)
				return err
			},
		},
		{
			ID: "authorization-server/metadata/issuer", Role: engine.AuthorizationServer, Level: engine.Must, Revisions: withMetadata,
			Covers:    []string{"server-prm-issuer-discoverable"},
			Reference: "RFC 8414 section 3.3; MCP 2026-07-28 authorization, Authorization Server Metadata Validation",
			Sentence:  "The issuer in the metadata is the one that was asked for, byte by byte.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				document, _, issuer, err := findIssuer(ctx, p)
				if err == nil && document.Issuer != issuer {
					return p.Mismatch(issuer, document.Issuer)
				}
				return err
			},
		},
		{
			ID: "authorization-server/metadata/members", Role: engine.AuthorizationServer, Level: engine.Must, Revisions: withMetadata,
			Reference: "RFC 8414 section 2",
			Sentence:  "The metadata has authorization_endpoint, token_endpoint and response_types_supported with code; endpoints are https, or http on loopback.",
			Run:       issuerMembers,
		},
		{
			ID: "authorization-server/metadata/pkce", Role: engine.AuthorizationServer, Level: engine.Must,
			Revisions: []engine.Revision{engine.R20251125, engine.R20260728},
			Reference: "MCP 2025-11-25 authorization, Authorization Code Protection",
			Sentence:  "The metadata advertises PKCE with S256; clients have to refuse a server that does not.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				document, _, _, err := findIssuer(ctx, p)
				if err == nil && !slices.Contains(document.ChallengeMethods, "S256") {
					return p.Mismatch("code_challenge_methods_supported with S256", fmt.Sprintf("%q", document.ChallengeMethods))
				}
				return err
			},
		},
		{
			ID: "authorization-server/metadata/no-empty-arrays", Role: engine.AuthorizationServer, Level: engine.Must, Revisions: withMetadata,
			Reference: "RFC 8414 section 3.2",
			Sentence:  "A member of the metadata that would be an empty array is left out.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				_, answer, _, err := findIssuer(ctx, p)
				if err != nil {
					return err
				}
				return noEmptyArrays(p, answer)
			},
		},
		{
			ID: "authorization-server/metadata/root", Role: engine.Server, Level: engine.Should, Revisions: []engine.Revision{engine.R20250326},
			Reference: "MCP 2025-03-26 authorization, Server Metadata Discovery",
			Sentence:  "A server for clients of 2025-03-26 has authorization server metadata at the root of its own origin.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				endpoint, err := url.Parse(p.URL())
				if err != nil {
					return &engine.CannotJudge{Reason: "the endpoint's URL", Err: err}
				}
				origin := endpoint.Scheme + "://" + endpoint.Host
				var document issuerDocument
				if _, err := p.JSON(ctx, origin+"/.well-known/oauth-authorization-server", &document); err != nil {
					return err
				}
				if document.Issuer != origin {
					return p.Mismatch("issuer "+origin, document.Issuer)
				}
				return nil
			},
		},
	}
}

type issuerDocument struct {
	Issuer                string   `json:"issuer"`
	AuthorizationEndpoint string   `json:"authorization_endpoint"`
	TokenEndpoint         string   `json:"token_endpoint"`
	RegistrationEndpoint  string   `json:"registration_endpoint"`
	ResponseTypes         []string `json:"response_types_supported"`
	ChallengeMethods      []string `json:"code_challenge_methods_supported"`
	JWKSURI               string   `json:"jwks_uri"`
}

// findIssuer gets the document of the first authorization server that the protected resource metadata names.
func findIssuer(ctx context.Context, p *engine.Probe) (*issuerDocument, *engine.Answer, string, error) {
	resource, _, err := findMetadata(ctx, p)
	if err != nil {
		return nil, nil, "", &engine.CannotJudge{Reason: "no protected resource metadata names an authorization server", Err: err}
	}
	if len(resource.AuthorizationServers) == 0 {
		return nil, nil, "", &engine.CannotJudge{Reason: "the protected resource metadata names no authorization server"}
	}
	issuer := resource.AuthorizationServers[0]
	parsed, err := url.Parse(issuer)
	if err != nil || parsed.Host == "" {
		return nil, nil, "", &engine.CannotJudge{Reason: "the authorization server's URL cannot be read", Err: err}
	}
	origin, path := parsed.Scheme+"://"+parsed.Host, strings.TrimSuffix(parsed.EscapedPath(), "/")
	candidates := []string{origin + "/.well-known/oauth-authorization-server" + path, origin + "/.well-known/openid-configuration" + path}
	if path != "" {
		candidates = append(candidates, origin+path+"/.well-known/openid-configuration")
	}
	for _, address := range candidates {
		var document issuerDocument
		var answer *engine.Answer
		if answer, err = p.JSON(ctx, address, &document); err == nil {
			return &document, answer, issuer, nil
		}
	}
	return nil, nil, "", err
}

func issuerMembers(ctx context.Context, p *engine.Probe) error {
	document, _, _, err := findIssuer(ctx, p)
	if err != nil {
		return err
	}
	for name, endpoint := range map[string]string{"authorization_endpoint": document.AuthorizationEndpoint, "token_endpoint": document.TokenEndpoint} {
		if parsed, err := url.Parse(endpoint); err != nil || !secure(parsed) || parsed.Fragment != "" {
			return p.Mismatch(name+" with an https URL, or http on loopback", fmt.Sprintf("%q", endpoint))
		}
	}
	if !slices.Contains(document.ResponseTypes, "code") {
		return p.Mismatch("response_types_supported with code", fmt.Sprintf("%q", document.ResponseTypes))
	}
	return nil
}
