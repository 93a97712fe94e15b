package checks

import (
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// metadataChecks returns the checks of server/metadata about where the protected resource metadata
// is, and who can read it (RFC 9728 section 3).
func metadataChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/metadata/found",
				Level:     check.Must,
				Revisions: since(check.R20250618),
				Reference: "RFC 9728 section 3; MCP authorization, Authorization Server Location",
				Sentence: "The challenge or a well-known location leads to the protected resource metadata, " +
					"without a token.",
				Covers: []string{
					"server-prm-served",
					"server-prm-discovery-mechanism",
					"server-prm-no-auth-needed",
					"server-prm-resource-present",
				},
			},
			Run: metadataFound,
		},
		{
			Rule: check.Rule{
				ID:        "server/metadata/path-form",
				Level:     check.Should,
				Revisions: since(check.R20250618),
				Reference: "RFC 9728 section 3.1",
				Sentence: "The protected resource metadata is at the well-known location followed by the " +
					"path of the resource.",
				Covers: []string{"server-prm-well-known-path", "RS-082"},
			},
			Run: metadataPathForm,
		},
		{
			Rule: check.Rule{
				ID:        "server/metadata/media-type",
				Level:     check.Must,
				Revisions: since(check.R20250618),
				Reference: "RFC 9728 section 3.2",
				Sentence:  "The protected resource metadata is served as application/json.",
				Covers:    []string{"server-prm-status-and-type", "RS-082"},
			},
			Run: metadataMediaType,
		},
		{
			Rule: check.Rule{
				ID:        "server/metadata/unknown-path",
				Level:     check.Policy,
				Severity:  check.Medium,
				Revisions: since(check.R20250618),
				Reference: "RFC 9728 section 3.3",
				Sentence: "The server describes no resource that it does not have by repeating the path of " +
					"the metadata's URL.",
				Covers: []string{"RS-082"},
			},
			Run: metadataUnknownPath,
		},
		{
			Rule: check.Rule{
				ID:        "server/metadata/own-name",
				Level:     check.Policy,
				Severity:  check.Medium,
				Revisions: since(check.R20250618),
				Reference: "RFC 7239 section 8.1; RFC 9110 section 7.2",
				Sentence: "The resource and the URL of the metadata do not depend on the host that a " +
					"request claims.",
				Covers: []string{"RS-081"},
			},
			Run: metadataOwnName,
		},
		{
			Rule: check.Rule{
				ID:        "server/metadata/pages",
				Level:     check.Policy,
				Severity:  check.Low,
				Revisions: since(check.R20250618),
				Reference: "WHATWG Fetch, CORS protocol; RFC 9728 section 3.1",
				Sentence: "A client in a web page can read the metadata, and can see that the other " +
					"well-known addresses have none.",
				Covers: []string{"RS-082"},
			},
			Run: metadataPages,
		},
	}
}

// metadataFound tries server/metadata/found.
func metadataFound(ctx context.Context, p *bench.Probe) error {
	_, _, err := attack.FindMetadata(ctx, p)
	return err
}

// metadataPathForm tries server/metadata/path-form. The resource may be a parent of the endpoint,
// such as its origin.
func metadataPathForm(ctx context.Context, p *bench.Probe) error {
	addresses := attack.WellKnown(p)
	found, _, err := attack.FindMetadata(ctx, p)
	if err == nil && attack.ContainsEndpoint(found.Resource, p.URL()) {
		addresses[0] = attack.WellKnownOf(found.Resource)
	}
	var document map[string]any
	_, err = p.JSON(ctx, addresses[0], &document)
	return err
}

// metadataMediaType tries server/metadata/media-type.
func metadataMediaType(ctx context.Context, p *bench.Probe) error {
	_, answer, err := attack.FindMetadata(ctx, p)
	if err != nil {
		return err
	}
	contentType := answer.Header.Get("Content-Type")
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil || kind != "application/json" {
		return p.Mismatch("Content-Type application/json", fmt.Sprintf("%q", contentType))
	}
	return nil
}

// metadataUnknownPath asks for the metadata of a resource that the server does not have.
func metadataUnknownPath(ctx context.Context, p *bench.Probe) error {
	if _, _, err := attack.FindMetadata(ctx, p); err != nil {
		return err
	}
	const unknown = "/unknown-resource"
	answer, err := p.Send(ctx, bench.Request{Method: http.MethodGet, URL: attack.WellKnown(p)[0] + unknown})
	if err != nil {
		return err
	}
	if answer.Status == http.StatusOK && strings.Contains(string(answer.Body), unknown+`"`) {
		return p.Insecure("nothing at the address of an unknown resource", "a document that describes it")
	}
	return nil
}

// metadataOwnName claims another host in each way that a request can. The server may refuse the
// request, leave the URL out, or name another of its own hosts.
func metadataOwnName(ctx context.Context, p *bench.Probe) error {
	before, _, err := attack.FindMetadata(ctx, p)
	if err != nil {
		return err
	}
	// A server without a challenge shows only its documents. Another check finds that.
	_, challenge, _ := attack.Unauthenticated(ctx, p)
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
		if answer.Status == http.StatusUnauthorized {
			lied, err := p.Challenge(answer)
			if err == nil && strings.Contains(lied["resource_metadata"], evil) {
				return p.Insecure(challenge["resource_metadata"], lied["resource_metadata"])
			}
		}
		lie.Method = http.MethodGet
		lie.URL = attack.WellKnown(p)[0]
		answer, err = p.Send(ctx, lie)
		if err != nil {
			return err
		}
		var document attack.ProtectedResource
		err = json.Unmarshal(answer.Body, &document)
		if answer.Status == http.StatusOK && err == nil && strings.Contains(document.Resource, evil) {
			return p.Insecure(before.Resource, document.Resource)
		}
	}
	return nil
}

// metadataPages asks as a browser does for a page of another site: with a preflight, since MCP
// clients add a header. A page that may not read an answer cannot tell a missing document from a
// network failure, so its client gives up.
func metadataPages(ctx context.Context, p *bench.Probe) error {
	if _, _, err := attack.FindMetadata(ctx, p); err != nil {
		return err
	}
	addresses := attack.WellKnown(p)
	issuer := strings.Replace(addresses[0], "oauth-protected-resource", "oauth-authorization-server", 1)
	for _, address := range append(addresses, issuer) {
		if err := wantReadable(ctx, p, address); err != nil {
			return err
		}
	}
	return nil
}

// wantReadable wants a page of another site to be able to read an address.
func wantReadable(ctx context.Context, p *bench.Probe, address string) error {
	const page = "https://page.example"
	preflight, err := p.Send(ctx, bench.Request{
		Method: http.MethodOptions,
		URL:    address,
		Header: http.Header{
			"Origin":                         {page},
			"Access-Control-Request-Method":  {http.MethodGet},
			"Access-Control-Request-Headers": {"mcp-protocol-version"},
		},
	})
	if err != nil {
		return err
	}
	document, err := p.Send(ctx, bench.Request{
		Method: http.MethodGet,
		URL:    address,
		Header: http.Header{"Origin": {page}, "Mcp-Protocol-Version": {string(p.Revision)}},
	})
	if err != nil {
		return err
	}
	for _, answer := range []*bench.Answer{preflight, document} {
		if allowed := answer.Header.Get("Access-Control-Allow-Origin"); allowed != "*" && allowed != page {
			return p.Mismatch(
				"Access-Control-Allow-Origin: * at "+address,
				fmt.Sprintf("%q, with status %d", allowed, answer.Status),
			)
		}
	}
	names := strings.ToLower(strings.Join(preflight.Header.Values("Access-Control-Allow-Headers"), ","))
	isAllowed := func(name string) bool {
		name = strings.TrimSpace(name)
		return name == "*" || name == "mcp-protocol-version"
	}
	if preflight.Status/100 != 2 || !slices.ContainsFunc(strings.Split(names, ","), isAllowed) {
		return p.Mismatch(
			"status 204 and MCP-Protocol-Version among Access-Control-Allow-Headers at "+address,
			fmt.Sprintf("status %d and %q", preflight.Status, names),
		)
	}
	return nil
}
