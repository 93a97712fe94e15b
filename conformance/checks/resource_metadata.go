package checks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mcpentra/conformance/engine"
)

// withMetadata are the revisions in which servers publish protected resource metadata.
var withMetadata = []engine.Revision{engine.R20250618, engine.R20251125, engine.R20260728}

// resourceMetadata: the document that says where tokens for a server are had (RFC 9728).
func resourceMetadata() []engine.Check {
	return []engine.Check{
		{
			ID: "server/metadata/found", Role: engine.Server, Level: engine.Must, Revisions: withMetadata,
			Covers:    []string{"server-prm-served", "server-prm-discovery-mechanism", "server-prm-no-auth-needed", "server-prm-resource-present"},
			Reference: "RFC 9728 section 3; MCP authorization, Authorization Server Location",
			Sentence:  "The protected resource metadata is found by the challenge or at a well-known location, without a token.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				_, _, err := findMetadata(ctx, p)
				return err
			},
		},
		{
			ID: "server/metadata/path-form", Role: engine.Server, Level: engine.Should, Revisions: withMetadata,
			Covers:    []string{"server-prm-well-known-path", "RS-082"},
			Reference: "RFC 9728 section 3.1",
			Sentence:  "The protected resource metadata is served at the well-known location with the endpoint's path behind it.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				var document map[string]any
				_, err := p.JSON(ctx, wellKnown(p)[0], &document)
				return err
			},
		},
		{
			ID: "server/metadata/media-type", Role: engine.Server, Level: engine.Must, Revisions: withMetadata,
			Covers:    []string{"server-prm-status-and-type", "RS-082"},
			Reference: "RFC 9728 section 3.2",
			Sentence:  "The protected resource metadata is served as application/json.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				_, answer, err := findMetadata(ctx, p)
				if err != nil {
					return err
				}
				if kind, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type")); err != nil || kind != "application/json" {
					return p.Mismatch("Content-Type application/json", fmt.Sprintf("%q", answer.Header.Get("Content-Type")))
				}
				return nil
			},
		},
		{
			ID: "server/metadata/resource", Role: engine.Server, Level: engine.Must, Revisions: withMetadata,
			Covers:    []string{"server-prm-resource-matches", "server-prm-resource-no-trailing-slash", "server-prm-https", "RS-082"},
			Reference: "RFC 9728 section 3.3",
			Sentence:  "The resource that the metadata describes is the endpoint's URL.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				document, _, err := findMetadata(ctx, p)
				if endpoint, bad := url.Parse(p.URL()); bad == nil && err == nil && !secure(endpoint) {
					return p.Mismatch("https, or http on loopback", p.URL())
				}
				if err == nil && document.Resource != p.URL() {
					return p.Mismatch(p.URL(), document.Resource)
				}
				return err
			},
		},
		{
			ID: "server/metadata/authorization-servers", Role: engine.Server, Level: engine.Must, Revisions: withMetadata,
			Covers:    []string{"server-prm-authorization-servers", "server-prm-issuer-form", "RS-082"},
			Reference: "MCP authorization, Authorization Server Location; RFC 8414 section 2",
			Sentence:  "The metadata names at least one authorization server, by an https URL (or http on loopback) without query and fragment.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				document, _, err := findMetadata(ctx, p)
				if err != nil {
					return err
				}
				if len(document.AuthorizationServers) == 0 {
					return p.Mismatch("at least one of authorization_servers", "none")
				}
				for _, issuer := range document.AuthorizationServers {
					if parsed, err := url.Parse(issuer); err != nil || !secure(parsed) || parsed.RawQuery != "" || parsed.Fragment != "" {
						return p.Mismatch("an https URL, or http on loopback, without query and fragment", issuer)
					}
				}
				return nil
			},
		},
		{
			ID: "server/metadata/bearer-methods", Role: engine.Server, Level: engine.Must, Revisions: withMetadata,
			Covers:    []string{"server-prm-bearer-methods", "RS-002"},
			Reference: "RFC 9728 section 2; MCP authorization, Access Token Usage",
			Sentence:  "The metadata does not offer to take tokens in the query.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				document, _, err := findMetadata(ctx, p)
				if err == nil && slices.Contains(document.BearerMethods, "query") {
					return p.Mismatch("bearer_methods_supported without query", strings.Join(document.BearerMethods, ", "))
				}
				return err
			},
		},
		{
			ID: "server/metadata/scopes-minimal", Role: engine.Server, Level: engine.Should, Revisions: []engine.Revision{engine.R20251125, engine.R20260728},
			Covers:    []string{"server-prm-scopes-minimal"},
			Reference: "MCP security best practices, Scope Minimization",
			Sentence:  "The metadata offers no scope for everything, as far as its name tells: *, all, full-access and their like.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				document, _, err := findMetadata(ctx, p)
				if err != nil {
					return err
				}
				if i := slices.IndexFunc(document.Scopes, everything.MatchString); i >= 0 {
					return p.Mismatch("scopes for the basics", fmt.Sprintf("one called %q", document.Scopes[i]))
				}
				return nil
			},
		},
		{
			ID: "server/metadata/signed", Role: engine.Server, Level: engine.Must, Revisions: withMetadata,
			Covers:    []string{"server-prm-signed-metadata"},
			Reference: "RFC 9728 section 2.2",
			Sentence:  "Metadata that is signed as well is signed with an algorithm, names its issuer, and says the same.",
			Run:       signedMetadata,
		},
		{
			ID: "server/metadata/no-offline-access", Role: engine.Server, Level: engine.Should, Revisions: []engine.Revision{engine.R20260728},
			Covers:    []string{"server-prm-no-offline-access", "RS-082"},
			Reference: "MCP 2026-07-28 authorization, Refresh Tokens",
			Sentence:  "The metadata does not list offline_access: refresh tokens are between client and authorization server.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				document, _, err := findMetadata(ctx, p)
				if err == nil && slices.Contains(document.Scopes, "offline_access") {
					return p.Mismatch("scopes_supported without offline_access", strings.Join(document.Scopes, ", "))
				}
				return err
			},
		},
		{
			ID: "server/metadata/unknown-path", Role: engine.Server, Level: engine.Policy, Severity: engine.Medium, Revisions: withMetadata, Covers: []string{"RS-082"},
			Reference: "RFC 9728 section 3.3",
			Sentence:  "No resource is described that is not there: the path in the metadata's address is not repeated.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				if _, _, err := findMetadata(ctx, p); err != nil {
					return err
				}
				answer, err := p.Send(ctx, engine.Request{Method: http.MethodGet, URL: wellKnown(p)[0] + "/there-is-no-such-resource"})
				if err == nil && strings.Contains(string(answer.Body), `/there-is-no-such-resource"`) && answer.Status == http.StatusOK {
					return p.Insecure("nothing at the address of another resource", "a document that describes it")
				}
				return err
			},
		},
		{
			ID: "server/metadata/no-empty-arrays", Role: engine.Server, Level: engine.Must, Revisions: withMetadata,
			Covers:    []string{"server-prm-no-empty-arrays"},
			Reference: "RFC 9728 section 3.2",
			Sentence:  "A member of the metadata that would be an empty array is left out.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				_, answer, err := findMetadata(ctx, p)
				if err != nil {
					return err
				}
				return noEmptyArrays(p, answer)
			},
		},
		{
			ID: "server/metadata/own-name", Role: engine.Server, Level: engine.Must, Revisions: withMetadata,
			Covers:    []string{"RS-081"},
			Reference: "RFC 9728 section 3.3; RFC 9110 section 7.2",
			Sentence:  "What a request says of its host does not become the resource, or the address of the metadata.",
			Run:       ownName,
		},
		{
			ID: "server/metadata/pages", Role: engine.Server, Level: engine.Policy, Severity: engine.Low, Revisions: withMetadata,
			Reference: "WHATWG Fetch, CORS protocol; RFC 9728 section 3.1",
			Sentence:  "A client in a web page can read the metadata, and that there is none at the other addresses where it looks.",
			Run:       readableByPages,
		},
	}
}

type protectedResource struct {
	Resource             string   `json:"resource"`
	AuthorizationServers []string `json:"authorization_servers"`
	BearerMethods        []string `json:"bearer_methods_supported"`
	Scopes               []string `json:"scopes_supported"`
}

// wellKnown are the addresses where a document may be, the one with the path first.
func wellKnown(p *engine.Probe) []string {
	endpoint, err := url.Parse(p.URL())
	if err != nil {
		return []string{p.URL(), p.URL()}
	}
	root := endpoint.Scheme + "://" + endpoint.Host + "/.well-known/oauth-protected-resource"
	return []string{root + strings.TrimSuffix(endpoint.EscapedPath(), "/"), root}
}

// findMetadata gets the document as a client does: where the challenge says, or at the well-known locations.
func findMetadata(ctx context.Context, p *engine.Probe) (*protectedResource, *engine.Answer, error) {
	candidates := wellKnown(p)
	if _, found, err := bare(ctx, p); err == nil && found["resource_metadata"] != "" {
		candidates = append([]string{found["resource_metadata"]}, candidates...)
	}
	var last error
	for _, address := range candidates {
		var document protectedResource
		answer, err := p.JSON(ctx, address, &document)
		if err == nil && document.Resource != "" {
			return &document, answer, nil
		}
		if err == nil {
			err = p.Mismatch("a document with the member resource", "one without")
		}
		var mismatch *engine.Mismatch
		if !errors.As(err, &mismatch) && last != nil {
			continue // no answer from an address that somebody else chose
		}
		last = err
	}
	return nil, nil, last
}

func noEmptyArrays(p *engine.Probe, answer *engine.Answer) error {
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
func ownName(ctx context.Context, p *engine.Probe) error {
	before, _, err := findMetadata(ctx, p)
	if err != nil {
		return err
	}
	_, challenge, err := bare(ctx, p)
	if err != nil {
		return err
	}
	const evil = "evil.example"
	for _, lie := range []engine.Request{
		{Host: evil},
		{Header: http.Header{"X-Forwarded-Host": {evil}, "X-Forwarded-Proto": {"https"}}},
		{Header: http.Header{"Forwarded": {"host=" + evil}}},
	} {
		answer, err := p.Send(ctx, lie)
		if err != nil {
			return err
		}
		if found, err := p.Challenge(answer); answer.Status == http.StatusUnauthorized && err == nil && found["resource_metadata"] != challenge["resource_metadata"] {
			return p.Mismatch(challenge["resource_metadata"], found["resource_metadata"])
		}
		lie.Method, lie.URL = http.MethodGet, wellKnown(p)[0]
		if answer, err = p.Send(ctx, lie); err != nil {
			return err
		}
		var document protectedResource
		if answer.Status == http.StatusOK && json.Unmarshal(answer.Body, &document) == nil && document.Resource != before.Resource {
			return p.Mismatch(before.Resource, document.Resource)
		}
	}
	return nil
}

// readableByPages asks as a browser does for a page of another site: with a preflight, since MCP clients add a header. A page cannot tell an address where nothing is from a
// network that is down if it may not read the answer, and gives up.
func readableByPages(ctx context.Context, p *engine.Probe) error {
	if _, _, err := findMetadata(ctx, p); err != nil {
		return err
	}
	const page = "https://page.example"
	addresses := wellKnown(p)
	addresses = append(addresses, strings.Replace(addresses[0], "oauth-protected-resource", "oauth-authorization-server", 1))
	for _, address := range addresses {
		preflight := http.Header{"Origin": {page}, "Access-Control-Request-Method": {http.MethodGet}, "Access-Control-Request-Headers": {"mcp-protocol-version"}}
		asked, err := p.Send(ctx, engine.Request{Method: http.MethodOptions, URL: address, Header: preflight})
		if err != nil {
			return err
		}
		answer, err := p.Send(ctx, engine.Request{Method: http.MethodGet, URL: address, Header: http.Header{"Origin": {page}, "Mcp-Protocol-Version": {string(p.Revision)}}})
		if err != nil {
			return err
		}
		for _, one := range []*engine.Answer{asked, answer} {
			if allowed := one.Header.Get("Access-Control-Allow-Origin"); allowed != "*" && allowed != page {
				return p.Mismatch("Access-Control-Allow-Origin: * at "+address, fmt.Sprintf("%q, with status %d", allowed, one.Status))
			}
		}
		names := strings.ToLower(asked.Header.Get("Access-Control-Allow-Headers"))
		if asked.Status/100 != 2 || !strings.Contains(names, "mcp-protocol-version") && names != "*" {
			return p.Mismatch("status 204 and MCP-Protocol-Version among Access-Control-Allow-Headers at "+address, fmt.Sprintf("status %d and %q", asked.Status, names))
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
