package checks

import (
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// metadataChecks are checks of server/metadata: the document that says where tokens for a server
// are had (RFC 9728).
func metadataChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/metadata/found",
				Level:     check.Must,
				Revisions: withMetadata,
				Reference: "RFC 9728 section 3; MCP authorization, Authorization Server Location",
				Sentence: "The protected resource metadata is found by the challenge or at a well-known location, " +
					"without a token.",
				Covers: []string{
					"server-prm-served",
					"server-prm-discovery-mechanism",
					"server-prm-no-auth-needed",
					"server-prm-resource-present",
				},
			},
			Run: func(ctx context.Context, p *bench.Probe) error {
				_, _, err := attack.FindMetadata(ctx, p)
				return err
			},
		},
		{
			Rule: check.Rule{
				ID:        "server/metadata/path-form",
				Level:     check.Should,
				Revisions: withMetadata,
				Reference: "RFC 9728 section 3.1",
				Sentence: "The protected resource metadata is served at the well-known location with the endpoint's " +
					"path behind it.",
				Covers: []string{"server-prm-well-known-path", "RS-082"},
			},
			Run: metadataPathForm,
		},
		{
			Rule: check.Rule{
				ID:        "server/metadata/media-type",
				Level:     check.Must,
				Revisions: withMetadata,
				Reference: "RFC 9728 section 3.2",
				Sentence:  "The protected resource metadata is served as application/json.",
				Covers:    []string{"server-prm-status-and-type", "RS-082"},
			},
			Run: metadataMediaType,
		},
		{
			Rule: check.Rule{
				ID:        "server/metadata/resource",
				Level:     check.Must,
				Revisions: withMetadata,
				Reference: "RFC 9728 section 3.3",
				Sentence:  "The resource that the metadata describes is the endpoint's URL.",
				Covers: []string{
					"server-prm-resource-matches",
					"server-prm-resource-no-trailing-slash",
					"server-prm-https",
					"RS-082",
				},
			},
			Run: metadataResource,
		},
		{
			Rule: check.Rule{
				ID:        "server/metadata/authorization-servers",
				Level:     check.Must,
				Revisions: withMetadata,
				Reference: "MCP authorization, Authorization Server Location; RFC 8414 section 2",
				Sentence: "The metadata names at least one authorization server, by an https URL (or http on " +
					"loopback) without query and fragment.",
				Covers: []string{"server-prm-authorization-servers", "server-prm-issuer-form", "RS-082"},
			},
			Run: metadataAuthorizationServers,
		},
		{
			Rule: check.Rule{
				ID:        "server/metadata/bearer-methods",
				Level:     check.Must,
				Revisions: withMetadata,
				Reference: "RFC 9728 section 2; MCP authorization, Access Token Usage",
				Sentence:  "The metadata does not offer to take tokens in the query.",
				Covers:    []string{"server-prm-bearer-methods", "RS-002"},
			},
			Run: metadataBearerMethods,
		},
		{
			Rule: check.Rule{
				ID:        "server/metadata/scopes-minimal",
				Level:     check.Should,
				Revisions: []check.Revision{check.R20251125, check.R20260728},
				Reference: "MCP security best practices, Scope Minimization",
				Sentence: "The metadata offers no scope for everything, as far as its name tells: *, all, " +
					"full-access and their like.",
				Covers: []string{"server-prm-scopes-minimal"},
			},
			Run: metadataScopesMinimal,
		},
		{
			Rule: check.Rule{
				ID:        "server/metadata/signed",
				Level:     check.Must,
				Revisions: withMetadata,
				Reference: "RFC 9728 section 2.2",
				Sentence: "Metadata that is signed as well is signed with an algorithm, names its issuer, and " +
					"says the same.",
				Covers: []string{"server-prm-signed-metadata"},
			},
			Run: signedMetadata,
		},
		{
			Rule: check.Rule{
				ID:        "server/metadata/no-offline-access",
				Level:     check.Should,
				Revisions: []check.Revision{check.R20260728},
				Reference: "MCP 2026-07-28 authorization, Refresh Tokens",
				Sentence: "The metadata does not list offline_access: refresh tokens are between client and " +
					"authorization server.",
				Covers: []string{"server-prm-no-offline-access", "RS-082"},
			},
			Run: metadataNoOfflineAccess,
		},
		{
			Rule: check.Rule{
				ID:        "server/metadata/unknown-path",
				Level:     check.Policy,
				Severity:  check.Medium,
				Revisions: withMetadata,
				Reference: "RFC 9728 section 3.3",
				Sentence: "No resource is described that is not there: the path in the metadata's address is " +
					"not repeated.",
				Covers: []string{"RS-082"},
			},
			Run: metadataUnknownPath,
		},
		{
			Rule: check.Rule{
				ID:        "server/metadata/no-empty-arrays",
				Level:     check.Must,
				Revisions: withMetadata,
				Reference: "RFC 9728 section 3.2",
				Sentence:  "A member of the metadata that would be an empty array is left out.",
				Covers:    []string{"server-prm-no-empty-arrays"},
			},
			Run: metadataNoEmptyArrays,
		},
		{
			Rule: check.Rule{
				ID:        "server/metadata/own-name",
				Level:     check.Must,
				Revisions: withMetadata,
				Reference: "RFC 9728 section 3.3; RFC 9110 section 7.2",
				Sentence: "What a request says of its host does not become the resource, or the address of " +
					"the metadata.",
				Covers: []string{"RS-081"},
			},
			Run: ownName,
		},
		{
			Rule: check.Rule{
				ID:        "server/metadata/pages",
				Level:     check.Policy,
				Severity:  check.Low,
				Revisions: withMetadata,
				Reference: "WHATWG Fetch, CORS protocol; RFC 9728 section 3.1",
				Sentence: "A client in a web page can read the metadata, and that there is none at the other " +
					"addresses where it looks.",
			},
			Run: readableByPages,
		},
	}
}

// metadataPathForm tries server/metadata/path-form.
func metadataPathForm(ctx context.Context, p *bench.Probe) error {
	var document map[string]any
	_, err := p.JSON(ctx, attack.WellKnown(p)[0], &document)
	return err
}

// metadataMediaType tries server/metadata/media-type.
func metadataMediaType(ctx context.Context, p *bench.Probe) error {
	_, answer, err := attack.FindMetadata(ctx, p)
	if err != nil {
		return err
	}
	if kind, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type")); err != nil ||
		kind != "application/json" {
		return p.Mismatch("Content-Type application/json", fmt.Sprintf("%q", answer.Header.Get("Content-Type")))
	}
	return nil
}

// metadataResource tries server/metadata/resource.
func metadataResource(ctx context.Context, p *bench.Probe) error {
	document, _, err := attack.FindMetadata(ctx, p)
	if endpoint, bad := url.Parse(p.URL()); bad == nil && err == nil && !secure(endpoint) {
		return p.Mismatch("https, or http on loopback", p.URL())
	}
	if err == nil && document.Resource != p.URL() {
		return p.Mismatch(p.URL(), document.Resource)
	}
	return err
}

// metadataAuthorizationServers tries server/metadata/authorization-servers.
func metadataAuthorizationServers(ctx context.Context, p *bench.Probe) error {
	document, _, err := attack.FindMetadata(ctx, p)
	if err != nil {
		return err
	}
	if len(document.AuthorizationServers) == 0 {
		return p.Mismatch("at least one of authorization_servers", "none")
	}
	for _, issuer := range document.AuthorizationServers {
		if parsed, err := url.Parse(issuer); err != nil || !secure(parsed) || parsed.RawQuery != "" ||
			parsed.Fragment != "" {
			return p.Mismatch("an https URL, or http on loopback, without query and fragment", issuer)
		}
	}
	return nil
}

// metadataBearerMethods tries server/metadata/bearer-methods.
func metadataBearerMethods(ctx context.Context, p *bench.Probe) error {
	document, _, err := attack.FindMetadata(ctx, p)
	if err == nil && slices.Contains(document.BearerMethods, "query") {
		return p.Mismatch("bearer_methods_supported without query", strings.Join(document.BearerMethods, ", "))
	}
	return err
}

// metadataScopesMinimal tries server/metadata/scopes-minimal.
func metadataScopesMinimal(ctx context.Context, p *bench.Probe) error {
	document, _, err := attack.FindMetadata(ctx, p)
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(document.Scopes, everything.MatchString); i >= 0 {
		return p.Mismatch("scopes for the basics", fmt.Sprintf("one called %q", document.Scopes[i]))
	}
	return nil
}

// metadataNoOfflineAccess tries server/metadata/no-offline-access.
func metadataNoOfflineAccess(ctx context.Context, p *bench.Probe) error {
	document, _, err := attack.FindMetadata(ctx, p)
	if err == nil && slices.Contains(document.Scopes, "offline_access") {
		return p.Mismatch("scopes_supported without offline_access", strings.Join(document.Scopes, ", "))
	}
	return err
}

// metadataUnknownPath tries server/metadata/unknown-path.
func metadataUnknownPath(ctx context.Context, p *bench.Probe) error {
	if _, _, err := attack.FindMetadata(ctx, p); err != nil {
		return err
	}
	answer, err := p.Send(
		ctx,
		bench.Request{Method: http.MethodGet, URL: attack.WellKnown(p)[0] + "/there-is-no-such-resource"},
	)
	if err == nil && strings.Contains(string(answer.Body), `/there-is-no-such-resource"`) &&
		answer.Status == http.StatusOK {
		return p.Insecure("nothing at the address of another resource", "a document that describes it")
	}
	return err
}

// metadataNoEmptyArrays tries server/metadata/no-empty-arrays.
func metadataNoEmptyArrays(ctx context.Context, p *bench.Probe) error {
	_, answer, err := attack.FindMetadata(ctx, p)
	if err != nil {
		return err
	}
	return noEmptyArrays(p, answer)
}

// withMetadata are the revisions in which servers publish protected resource metadata.
var withMetadata = []check.Revision{check.R20250618, check.R20251125, check.R20260728}

func noEmptyArrays(p *bench.Probe, answer *bench.Answer) error {
	var document map[string]json.RawMessage
	if err := json.Unmarshal(answer.Body, &document); err != nil {
		return p.Mismatch("a JSON object", err.Error())
	}
	for name, value := range document {
		if strings.Join(strings.Fields(string(value)), "") == "[]" {
			return p.Mismatch("no empty arrays", name+" is one")
		}
	}
	return nil
}

// ownName lies about the host in every way that a request can.
func ownName(ctx context.Context, p *bench.Probe) error {
	before, _, err := attack.FindMetadata(ctx, p)
	if err != nil {
		return err
	}
	_, challenge, err := attack.Bare(ctx, p)
	if err != nil {
		return err
	}
	const evil = "evil.example"
	for _, lie := range []bench.Request{
		{Host: evil},
		{Header: http.Header{"X-Forwarded-Host": {evil}, "X-Forwarded-Proto": {"https"}}},
		{Header: http.Header{"Forwarded": {"host=" + evil}}},
	} {
		answer, err := p.Send(ctx, lie)
		if err != nil {
			return err
		}
		if found, err := p.Challenge(answer); answer.Status == http.StatusUnauthorized && err == nil &&
			found["resource_metadata"] != challenge["resource_metadata"] {
			return p.Mismatch(challenge["resource_metadata"], found["resource_metadata"])
		}
		lie.Method = http.MethodGet
		lie.URL = attack.WellKnown(p)[0]
		if answer, err = p.Send(ctx, lie); err != nil {
			return err
		}
		var document attack.ProtectedResource
		if answer.Status == http.StatusOK && json.Unmarshal(answer.Body, &document) == nil &&
			document.Resource != before.Resource {
			return p.Mismatch(before.Resource, document.Resource)
		}
	}
	return nil
}

// readableByPages asks as a browser does for a page of another site: with a preflight, since MCP
// clients add a header. A page cannot tell an address where nothing is from a network that is down
// if it may not read the answer, and gives up.
func readableByPages(ctx context.Context, p *bench.Probe) error {
	if _, _, err := attack.FindMetadata(ctx, p); err != nil {
		return err
	}
	const page = "https://page.example"
	addresses := attack.WellKnown(p)
	addresses = append(
		addresses,
		strings.Replace(addresses[0], "oauth-protected-resource", "oauth-authorization-server", 1),
	)
	for _, address := range addresses {
		preflight := http.Header{
			"Origin":                         {page},
			"Access-Control-Request-Method":  {http.MethodGet},
			"Access-Control-Request-Headers": {"mcp-protocol-version"},
		}
		asked, err := p.Send(ctx, bench.Request{Method: http.MethodOptions, URL: address, Header: preflight})
		if err != nil {
			return err
		}
		answer, err := p.Send(
			ctx,
			bench.Request{
				Method: http.MethodGet,
				URL:    address,
				Header: http.Header{"Origin": {page}, "Mcp-Protocol-Version": {string(p.Revision)}},
			},
		)
		if err != nil {
			return err
		}
		for _, one := range []*bench.Answer{asked, answer} {
			if allowed := one.Header.Get("Access-Control-Allow-Origin"); allowed != "*" && allowed != page {
				return p.Mismatch(
					"Access-Control-Allow-Origin: * at "+address,
					fmt.Sprintf("%q, with status %d", allowed, one.Status),
				)
			}
		}
		names := strings.ToLower(asked.Header.Get("Access-Control-Allow-Headers"))
		if asked.Status/100 != 2 || !strings.Contains(names, "mcp-protocol-version") && names != "*" {
			return p.Mismatch(
				"status 204 and MCP-Protocol-Version among Access-Control-Allow-Headers at "+address,
				fmt.Sprintf("status %d and %q", asked.Status, names),
			)
		}
	}
	return nil
}

func secure(address *url.URL) bool {
	return address.Host != "" && (address.Scheme == "https" || address.Scheme == "http" && onLoopback(address))
}

func onLoopback(address *url.URL) bool {
	ip := net.ParseIP(address.Hostname())
	return address.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}
