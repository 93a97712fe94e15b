package checks

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// metadataMembersChecks returns the checks of server/metadata about the members of the document
// (RFC 9728 section 2).
func metadataMembersChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/metadata/resource",
				Level:     check.Must,
				Revisions: since(check.R20250618),
				Reference: "RFC 9728 section 3.3",
				Sentence:  "The resource in the metadata is the endpoint's URL, or its origin or a path above it.",
				Covers: []string{
					"server-prm-resource-matches",
					"server-prm-resource-no-trailing-slash",
					"server-prm-https",
					"server-prm-resource-present",
					"RS-082",
				},
			},
			Run: metadataResource,
		},
		{
			Rule: check.Rule{
				ID:        "server/metadata/authorization-servers",
				Level:     check.Must,
				Revisions: since(check.R20250618),
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
				Level:     check.Should,
				Revisions: since(check.R20250618),
				Reference: "OAuth 2.1 section 5.1; RFC 9728 section 2",
				Sentence:  "The metadata does not advertise tokens in the query.",
				Covers:    []string{"server-prm-bearer-methods", "RS-002"},
			},
			Run: metadataBearerMethods,
		},
		{
			Rule: check.Rule{
				ID:        "server/metadata/scopes-minimal",
				Level:     check.Should,
				Revisions: since(check.R20251125),
				Reference: "MCP security best practices, Scope Minimization",
				Sentence: "The metadata lists no scope whose name means everything, such as *, all or " +
					"full-access.",
				Covers: []string{"server-prm-scopes-minimal"},
			},
			Run: metadataScopesMinimal,
		},
		{
			Rule: check.Rule{
				ID:        "server/metadata/no-offline-access",
				Level:     check.Should,
				Revisions: since(check.R20260728),
				Reference: "MCP 2026-07-28 authorization, Refresh Tokens",
				Sentence: "The metadata does not list offline_access, because refresh tokens concern only " +
					"the client and the authorization server.",
				Covers: []string{"server-prm-no-offline-access", "RS-082"},
			},
			Run: metadataNoOfflineAccess,
		},
		{
			Rule: check.Rule{
				ID:        "server/metadata/no-empty-arrays",
				Level:     check.Must,
				Revisions: since(check.R20250618),
				Reference: "RFC 9728 section 3.2",
				Sentence:  "The metadata omits members whose value would be an empty array.",
				Covers:    []string{"server-prm-no-empty-arrays"},
			},
			Run: metadataNoEmptyArrays,
		},
		{
			Rule: check.Rule{
				ID:        "server/metadata/signed",
				Level:     check.Must,
				Revisions: since(check.R20250618),
				Reference: "RFC 9728 section 2.2",
				Sentence: "Signed metadata uses a signature algorithm, names its issuer, and names no other " +
					"resource than the plain metadata.",
				Covers: []string{"server-prm-signed-metadata"},
			},
			Run: metadataSigned,
		},
	}
}

// metadataResource tries server/metadata/resource.
func metadataResource(ctx context.Context, p *bench.Probe) error {
	document, _, err := attack.FindMetadata(ctx, p)
	if err != nil {
		return err
	}
	if endpoint, err := url.Parse(p.URL()); err == nil && !attack.IsSecure(endpoint) {
		return p.Mismatch("https, or http on loopback", p.URL())
	}
	return judgeResource(p, document.Resource)
}

// judgeResource judges a resource identifier. RFC 9728 section 3.3 wants the URL that the client
// used. For MCP the origin is a canonical URI too. The well-known locations of the origin, and of
// paths above the endpoint, describe these.
func judgeResource(p *bench.Probe, resource string) error {
	endpoint := p.URL()
	isNamedAlike := attack.ContainsEndpoint(resource, endpoint)
	switch {
	case resource == endpoint:
		return nil
	case isNamedAlike && strings.EqualFold(strings.TrimSuffix(resource, "/"), strings.TrimSuffix(endpoint, "/")):
		if strings.HasSuffix(resource, "/") == strings.HasSuffix(endpoint, "/") {
			return nil // the case of scheme and host does not count (RFC 3986 section 6.2.2.1)
		}
		return p.MismatchAt(check.Should, endpoint, resource)
	case isNamedAlike:
		return nil
	case isOtherLoopbackName(resource, endpoint):
		return &check.NotApplicable{
			Reason: "the server calls itself " + resource + "; try it at that URL",
		}
	}
	return p.Mismatch(endpoint, resource)
}

// isOtherLoopbackName reports whether two URLs differ only in the name of this machine.
func isOtherLoopbackName(resource, endpoint string) bool {
	a, err := url.Parse(resource)
	b, err2 := url.Parse(endpoint)
	if err != nil || err2 != nil || !attack.IsLoopback(a) || !attack.IsLoopback(b) {
		return false
	}
	isSamePort := a.Port() == b.Port()
	b.Host = a.Host
	return isSamePort && attack.ContainsEndpoint(resource, b.String())
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
		parsed, err := url.Parse(issuer)
		if err != nil || !attack.IsSecure(parsed) || parsed.RawQuery != "" || parsed.Fragment != "" {
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

// everything matches names of scopes that mean everything.
var everything = regexp.MustCompile(`(?i)^(\*|all|full|everything|root|superuser|full[-_.:]?access|(.*[.:/])?\*)$`)

// metadataNoOfflineAccess tries server/metadata/no-offline-access.
func metadataNoOfflineAccess(ctx context.Context, p *bench.Probe) error {
	document, _, err := attack.FindMetadata(ctx, p)
	if err == nil && slices.Contains(document.Scopes, "offline_access") {
		return p.Mismatch("scopes_supported without offline_access", strings.Join(document.Scopes, ", "))
	}
	return err
}

// metadataNoEmptyArrays tries server/metadata/no-empty-arrays.
func metadataNoEmptyArrays(ctx context.Context, p *bench.Probe) error {
	_, answer, err := attack.FindMetadata(ctx, p)
	if err != nil {
		return err
	}
	return attack.NoEmptyArrays(p, answer)
}

// metadataSigned looks at the member signed_metadata. The check does not verify the signature: only
// a client that trusts the signer can.
func metadataSigned(ctx context.Context, p *bench.Probe) error {
	document, answer, err := attack.FindMetadata(ctx, p)
	if err != nil {
		return err
	}
	var plain struct {
		Signed *string `json:"signed_metadata"`
	}
	if err := json.Unmarshal(answer.Body, &plain); err != nil {
		return p.Mismatch("a text in signed_metadata", err.Error())
	}
	if plain.Signed == nil {
		return &check.NotApplicable{Reason: "its metadata is not signed"}
	}
	signed, err := attack.ParseJWT(*plain.Signed)
	if err != nil {
		return p.Mismatch("a JWT in signed_metadata", "something else")
	}
	algorithm := attack.Text(signed.Header, "alg")
	resource, hasResource := signed.Claims["resource"]
	_, isNested := signed.Claims["signed_metadata"]
	switch {
	case algorithm == "" || algorithm == "none":
		return p.Insecure("signed metadata with a signature", fmt.Sprintf("the algorithm %q", algorithm))
	case attack.Text(signed.Claims, "iss") == "":
		return p.Mismatch("iss in the signed metadata", "none")
	case isNested:
		return p.MismatchAt(check.Should, "no signed metadata in the signed metadata", "some")
	case hasResource && resource != document.Resource: // the signed members replace the plain ones
		return p.MismatchAt(
			check.Should,
			"the resource "+document.Resource+" in the signed metadata too",
			fmt.Sprintf("%v", resource),
		)
	}
	return nil
}
