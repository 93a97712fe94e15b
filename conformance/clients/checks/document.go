package checks

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// documentChecks are checks of client/document: what a client ID metadata document says (MCP
// 2025-11-25 authorization; OAuth Client ID Metadata Document).
func documentChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/document/fields",
				Level:     check.Must,
				Severity:  check.Medium,
				Revisions: since20251125,
				Reference: "MCP 2025-11-25 authorization, Client ID Metadata Documents; OAuth Client ID Metadata " +
					"Document section 4",
				Sentence: "The document is JSON, names itself by the URL that the client uses as client_id, and has " +
					"client_name and the redirect URI that the client uses.",
				Covers: []string{"client-cimd-document-fields", "client-cimd-id-matches"},
			},
			Abilities: []bench.Ability{bench.ClientDocument},
			Run: documented(func(l *lab.Lab, document map[string]any) error {
				redirects, _ := document["redirect_uris"].([]any)
				if name, _ := document["client_name"].(string); name == "" {
					return l.Mismatch("client_name", "none")
				}
				for _, one := range l.Authorizations(l.Authority()) {
					id := one.Query.Get("client_id")
					used := one.Query.Get("redirect_uri")
					if document["client_id"] != id {
						return l.Mismatch("client_id "+id, fmt.Sprintf("%v", document["client_id"]))
					}
					if !slices.ContainsFunc(
						redirects,
						func(each any) bool { text, _ := each.(string); return sameRedirect(text, used) },
					) {
						return l.Mismatch("a redirect_uris with "+used, fmt.Sprintf("%v", redirects))
					}
				}
				return nil
			}),
		},
		{
			Rule: check.Rule{
				ID:        "client/document/no-secret",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: since20251125,
				Reference: "MCP 2025-11-25 authorization, Client ID Metadata Documents; OAuth Client ID Metadata " +
					"Document section 4",
				Sentence: "The document holds no secret, and no method of authentication with one: " +
					"everybody reads it.",
				Covers: []string{"client-cimd-no-shared-secret"},
			},
			Abilities: []bench.Ability{bench.ClientDocument},
			Run: documented(func(l *lab.Lab, document map[string]any) error {
				if method, _ := document["token_endpoint_auth_method"].(string); strings.HasPrefix(
					method,
					"client_secret",
				) {
					return l.Insecure("a method of authentication without a shared secret", method)
				}
				for _, name := range []string{"client_secret", "client_secret_expires_at"} {
					if _, found := document[name]; found {
						return l.Insecure("no "+name, "one")
					}
				}
				return nil
			}),
		},
		{
			Rule: check.Rule{
				ID:        "client/document/hosted",
				Level:     check.Must,
				Severity:  check.Medium,
				Revisions: since20251125,
				Reference: "MCP 2025-11-25 authorization, Client ID Metadata Documents; OAuth Client ID Metadata " +
					"Document section 4",
				Sentence: "The document stands at the URL that the client uses as client_id, as JSON, and not at one " +
					"that is redirected to.",
				Covers: []string{"client-cimd-document-hosted"},
			},
			Abilities: []bench.Ability{bench.ClientDocument},
			Run:       hosted,
		},
	}
}

// Of a document authorization servers are advised to read no more than five kilobytes; more is read
// here to tell what is there.
const (
	advisedDocument = 5 << 10
	maxDocument     = 1 << 20
)

// hosted fetches the document as an authorization server does.
func hosted(ctx context.Context, p *bench.Probe) error {
	l, err := control(ctx, p, lab.Script{Metadata: takesDocuments(true)})
	if err != nil {
		return err
	}
	address := ""
	for _, one := range l.Authorizations(l.Authority()) {
		address = one.Query.Get("client_id")
	}
	switch {
	case !strings.HasPrefix(address, "https://"):
		return &check.NotApplicable{Reason: "the client does not use its document"}
	case p.Target.HTTPClient == nil:
		return &check.NotApplicable{Reason: "nobody has said that the document may be fetched"}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return l.Mismatch("a URL that can be fetched", fmt.Sprintf("%q", address))
	}
	request.Header.Set("Accept", "application/json")
	client := *p.Target.HTTPClient
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := client.Do(request)
	if err != nil {
		return l.Mismatch("the document at "+address, err.Error())
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxDocument+1))
	if err != nil {
		return l.Mismatch("the document at "+address, err.Error())
	}
	kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	var document map[string]any
	switch {
	case response.StatusCode != http.StatusOK:
		return l.Mismatch("status 200 from "+address, fmt.Sprintf("status %d", response.StatusCode))
	case kind != "application/json" && !strings.HasSuffix(kind, "+json"):
		return l.Mismatch("the media type application/json", fmt.Sprintf("%q", kind))
	case json.Unmarshal(text, &document) != nil || document["client_id"] != address:
		return l.Mismatch("a JSON object with client_id "+address, fmt.Sprintf("client_id %v", document["client_id"]))
	case len(text) > advisedDocument:
		return &check.Mismatch{
			Want: fmt.Sprintf(
				"at most %d bytes, which is what authorization servers are advised to read",
				advisedDocument,
			),
			Got:   "more",
			Level: check.Should,
		}
	}
	return nil
}

// documented judges the document that a target has, after the client has used its URL.
func documented(judge func(l *lab.Lab, document map[string]any) error) runClient {
	return func(ctx context.Context, p *bench.Probe) error {
		l, err := control(ctx, p, lab.Script{Metadata: takesDocuments(true)})
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(
			l.Authorizations(l.Authority()),
			func(r lab.Request) bool { return strings.HasPrefix(r.Query.Get("client_id"), "https://") },
		) {
			return &check.NotApplicable{Reason: "the client does not use its document"}
		}
		if len(p.Target.Document) == 0 {
			return &check.NotApplicable{Reason: "nobody has given the document to the check"}
		}
		var document map[string]any
		if err := json.Unmarshal(p.Target.Document, &document); err != nil {
			return l.Mismatch("a document that is a JSON object", err.Error())
		}
		return judge(l, document)
	}
}
