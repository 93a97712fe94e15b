package checks

import (
	"context"
	"net/http"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// documentDraft is the draft of client ID metadata documents that MCP 2025-11-25 names.
const documentDraft = "draft-ietf-oauth-client-id-metadata-document-00 "

// documentChecks returns the checks of authorization-server/document: client ID metadata documents
// (draft-ietf-oauth-client-id-metadata-document-00, which MCP 2025-11-25 names).
func documentChecks() []bench.Check {
	needs := []bench.Need{bench.Scripted, bench.DocumentHost}
	revisions := since(check.R20251125)
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/document/supported",
				Level:     check.Should,
				Revisions: revisions,
				Reference: "MCP 2025-11-25 authorization, Client ID Metadata Documents",
				Sentence:  "A client whose ID is the URL of its metadata document gets a code.",
				Covers:    []string{"as-cimd-supported"},
			},
			Needs: needs,
			Run:   documentSupported,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/document/advertised",
				Level:     check.Should,
				Revisions: revisions,
				Reference: documentDraft + "section 5",
				Sentence:  "A server with client documents has client_id_metadata_document_supported in its metadata.",
				Covers:    []string{"as-metadata-cimd-flag", "AS-064"},
			},
			Needs: needs,
			Run:   documentAdvertised,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/document/fetched",
				Level:     check.Should,
				Revisions: revisions,
				Reference: documentDraft + "section 4",
				Sentence:  "The document is fetched before an unknown client gets a code.",
				Covers:    []string{"as-cimd-fetches"},
			},
			Needs: needs,
			Run:   documentFetched,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/document/client-id",
				Level:     check.Must,
				Severity:  check.Critical,
				Revisions: revisions,
				Reference: documentDraft + "section 4.1",
				Sentence:  "A document whose client_id differs from its URL is refused.",
				Covers:    []string{"as-cimd-id-match", "AS-085"},
			},
			Needs: needs,
			Run:   documentClientID,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/document/valid",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: revisions,
				Reference: documentDraft + "section 4.1",
				Sentence:  "A document that is not a JSON object, or lacks required members, is refused.",
				Covers:    []string{"as-cimd-document-valid", "AS-084"},
			},
			Needs: needs,
			Run:   documentValid,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/document/redirect",
				Level:     check.Must,
				Severity:  check.Critical,
				Revisions: revisions,
				Reference: documentDraft + "section 4.5",
				Sentence:  "A redirect URI that is not in the document is refused, without a redirect to it.",
				Covers:    []string{"as-cimd-redirect-checked", "AS-085"},
			},
			Needs: needs,
			Run:   documentRedirect,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/document/url",
				Level:     check.Should,
				Severity:  check.High,
				Revisions: revisions,
				Reference: documentDraft + "section 3",
				Sentence:  "A client ID is https with a path, and has no fragment, user name or dot segments.",
				Covers:    []string{"as-cimd-url-rules", "AS-080"},
			},
			Needs: needs,
			Run:   documentURL,
		},
	}
}

// documentSupported tries authorization-server/document/supported.
func documentSupported(ctx context.Context, p *bench.Probe) error {
	metadata, err := p.Metadata(ctx)
	if err != nil {
		return err
	}
	if !metadata.ClientDocuments {
		return &check.NotApplicable{Reason: "the server has no client ID metadata documents"}
	}
	if client, err := p.Public(ctx); err == nil { // the control, where there is another client
		if _, err := p.Granted(ctx, client); err != nil {
			return err
		}
	}
	document := p.NewDocument(bench.GoodDocument(nil))
	made, err := p.Authorize(ctx, document.Client(bench.SiteRedirect))
	if err != nil {
		return err
	}
	if made.Code() == "" {
		return p.Mismatch("a code for a client with a document", made.String())
	}
	answer, tokens, err := p.Redeem(ctx, made)
	if err == nil && tokens == nil {
		return p.Mismatch("tokens for a client with a document", answer.String())
	}
	return err
}

// documentAdvertised tries authorization-server/document/advertised.
func documentAdvertised(ctx context.Context, p *bench.Probe) error {
	if _, _, err := p.DocumentClient(ctx); err != nil {
		return err
	}
	metadata, err := p.Metadata(ctx)
	if err == nil && !metadata.ClientDocuments {
		return p.Mismatch("client_id_metadata_document_supported", "a document without it")
	}
	return err
}

// documentFetched tries authorization-server/document/fetched.
func documentFetched(ctx context.Context, p *bench.Probe) error {
	document, _, err := p.DocumentClient(ctx)
	if err == nil && document.Fetches() == 0 {
		return p.Mismatch("a request for the document", "a code without one")
	}
	return err
}

// A documentVector is a document with a flaw.
type documentVector struct {
	name  string
	serve func(url string) http.Handler
	// level is the level for a server that issues a code. Empty means the rule's.
	level check.Level
}

// refuseDocuments wants no code for clients with flawed documents.
func refuseDocuments(ctx context.Context, p *bench.Probe, vectors ...documentVector) error {
	if _, _, err := p.DocumentClient(ctx); err != nil {
		return err
	}
	var found []*check.Mismatch
	for _, vector := range vectors {
		document := p.NewDocument(vector.serve)
		made, err := p.Authorize(ctx, document.Client(bench.SiteRedirect))
		if err != nil {
			return err
		}
		if made.Code() != "" {
			mismatch := p.Insecure("no code for a document with "+vector.name, made.String())
			mismatch.Level = vector.level
			if vector.level != "" {
				mismatch.Severity = check.Low
			}
			found = append(found, mismatch)
		}
	}
	return bench.All(found...)
}

// documentClientID tries authorization-server/document/client-id.
func documentClientID(ctx context.Context, p *bench.Probe) error {
	withID := func(change func(url string) string) func(string) http.Handler {
		return func(url string) http.Handler {
			return bench.ServeDocument(bench.DocumentText(url, bench.Members{"client_id": change(url)}))
		}
	}
	other := func(string) string { return "https://other.example/client.json" }
	return refuseDocuments(ctx, p,
		documentVector{"another client_id", withID(other), ""},
		documentVector{"a slash after the client_id", withID(func(url string) string { return url + "/" }), ""},
		documentVector{"a client_id in upper case", withID(strings.ToUpper), ""},
		documentVector{"no client_id", bench.GoodDocument(bench.Members{"client_id": nil}), ""},
	)
}

// documentValid tries authorization-server/document/valid.
func documentValid(ctx context.Context, p *bench.Probe) error {
	text := func(change func(good string) string) func(string) http.Handler {
		return func(url string) http.Handler { return bench.ServeDocument(change(bench.DocumentText(url, nil))) }
	}
	return refuseDocuments(ctx, p,
		documentVector{"HTML", text(func(string) string { return "<!DOCTYPE html><p>Hello" }), ""},
		documentVector{"half a JSON object", text(func(good string) string { return good[:len(good)/2] }), ""},
		documentVector{"a JSON array", text(func(good string) string { return "[" + good + "]" }), ""},
		documentVector{"no redirect_uris", bench.GoodDocument(bench.Members{"redirect_uris": nil}), ""},
		documentVector{"no client_name", bench.GoodDocument(bench.Members{"client_name": nil}), check.Should},
	)
}

// documentRedirect tries authorization-server/document/redirect.
func documentRedirect(ctx context.Context, p *bench.Probe) error {
	document, _, err := p.DocumentClient(ctx)
	if err != nil {
		return err
	}
	return refuseRedirects(ctx, p, document.Client(bench.SiteRedirect), []redirectVector{
		{"another host", "https://evil.example/callback"},
		{"another path", bench.SiteRedirect + "/more"},
		{"a query", bench.SiteRedirect + "?more=1"},
		{"another scheme", "http://mcp-auth-conformance.example/callback"},
	})
}

// documentURL tries authorization-server/document/url. Each URL serves a document that names it.
func documentURL(ctx context.Context, p *bench.Probe) error {
	if _, _, err := p.DocumentClient(ctx); err != nil {
		return err
	}
	var found []*check.Mismatch
	for name, change := range map[string]func(url string) string{
		"http":         func(url string) string { return strings.Replace(url, "https:", "http:", 1) },
		"no path":      func(url string) string { return strings.TrimSuffix(url, "/client.json") },
		"a fragment":   func(url string) string { return url + "#part" },
		"a user name":  func(url string) string { return strings.Replace(url, "https://", "https://user:pass@", 1) },
		"dot segments": func(url string) string { return strings.Replace(url, "/client", "/x/../client", 1) },
	} {
		if name == "no path" && !p.DocumentsHaveHosts() {
			continue // the folder of a document is a path
		}
		var changed string
		p.NewDocument(func(url string) http.Handler {
			changed = change(url)
			return bench.ServeDocument(bench.DocumentText(changed, nil))
		})
		made, err := p.Authorize(ctx, &bench.Client{ID: changed, RedirectURI: bench.SiteRedirect})
		if err != nil {
			return err
		}
		if made.Code() != "" {
			mismatch := p.Insecure("no code for a client ID with "+name, made.String())
			if name == "no path" {
				mismatch.Severity = check.Low // the host alone describes the client
			}
			found = append(found, mismatch)
		}
	}
	return bench.All(found...)
}
