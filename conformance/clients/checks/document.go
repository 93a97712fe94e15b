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

// documentChecks are checks of client/document: the client ID metadata document (MCP 2025-11-25
// authorization; OAuth Client ID Metadata Document).
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
				Sentence: "The document is JSON. It holds the URL that the client uses as client_id, a " +
					"client_name, and the redirect URI that the client uses.",
				Covers: []string{
					"client-cimd-document-fields",
					"client-cimd-id-matches",
					"client-redirect-uri-registered",
				},
			},
			Abilities: []bench.Ability{bench.ClientDocument},
			Run:       judgeDocument(wantDocumentFields),
		},
		{
			Rule: check.Rule{
				ID:        "client/document/no-secret",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: since20251125,
				Reference: "MCP 2025-11-25 authorization, Client ID Metadata Documents; OAuth Client ID Metadata " +
					"Document section 4",
				Sentence: "The document is public, so it holds no secret and no authentication method that " +
					"needs one.",
				Covers: []string{"client-cimd-no-shared-secret"},
			},
			Abilities: []bench.Ability{bench.ClientDocument},
			Run:       judgeDocument(wantNoSecret),
		},
		{
			Rule: check.Rule{
				ID:        "client/document/hosted",
				Level:     check.Must,
				Severity:  check.Medium,
				Revisions: since20251125,
				Reference: "MCP 2025-11-25 authorization, Client ID Metadata Documents; OAuth Client ID Metadata " +
					"Document section 4",
				Sentence: "The document is served as JSON at the URL that the client uses as client_id, " +
					"without a redirect.",
				Covers: []string{"client-cimd-document-hosted"},
			},
			Abilities: []bench.Ability{bench.ClientDocument},
			Run:       documentHosted,
		},
	}
}

// wantDocumentFields wants the client's own URL, name and redirect URI in its document.
func wantDocumentFields(l *lab.Lab, document map[string]any) error {
	redirects, _ := document["redirect_uris"].([]any)
	if name, _ := document["client_name"].(string); name == "" {
		return l.Mismatch("client_name", "none")
	}
	for _, request := range l.Authorizations(l.Authority()) {
		id := request.Query.Get("client_id")
		used := request.Query.Get("redirect_uri")
		if document["client_id"] != id {
			return l.Mismatch("client_id "+id, fmt.Sprintf("%v", document["client_id"]))
		}
		if !holdsRedirect(redirects, used) {
			return l.Mismatch("redirect_uris with "+used, fmt.Sprintf("%v", redirects))
		}
	}
	return nil
}

// wantNoSecret wants a document without a secret or a method that needs one.
func wantNoSecret(l *lab.Lab, document map[string]any) error {
	if method, _ := document["token_endpoint_auth_method"].(string); strings.HasPrefix(method, "client_secret") {
		return l.Insecure("a method of authentication without a shared secret", method)
	}
	for _, name := range []string{"client_secret", "client_secret_expires_at"} {
		if _, found := document[name]; found {
			return l.Insecure("no "+name, "one")
		}
	}
	return nil
}

// Sizes in bytes. The specification advises authorization servers to read at most 5 KiB. This check
// reads more, to report the size.
const (
	advisedSize = 5 << 10
	maxDocument = 1 << 20
)

// documentHosted tries client/document/hosted: it fetches the document as an authorization server
// does.
func documentHosted(ctx context.Context, p *bench.Probe) error {
	l, err := completeTask(ctx, p, lab.Script{Metadata: acceptDocuments(true)})
	if err != nil {
		return err
	}
	address := ""
	for _, request := range l.Authorizations(l.Authority()) {
		address = request.Query.Get("client_id")
	}
	switch {
	case !strings.HasPrefix(address, "https://"):
		return &check.NotApplicable{Reason: "the client does not use its document"}
	case p.Target.HTTPClient == nil:
		return &check.NotApplicable{Reason: "the target has no HTTPClient to fetch the document with"}
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
	case len(text) > advisedSize:
		const want = "at most %d bytes, the size that authorization servers are advised to read"
		return &check.Mismatch{Want: fmt.Sprintf(want, advisedSize), Got: "more", Level: check.Should}
	}
	return nil
}

// judgeDocument judges the target's document if the client uses its URL.
func judgeDocument(verdict func(l *lab.Lab, document map[string]any) error) runFunc {
	return func(ctx context.Context, p *bench.Probe) error {
		l, err := completeTask(ctx, p, lab.Script{Metadata: acceptDocuments(true)})
		if err != nil {
			return err
		}
		usesDocument := func(r lab.Request) bool {
			return strings.HasPrefix(r.Query.Get("client_id"), "https://")
		}
		if !slices.ContainsFunc(l.Authorizations(l.Authority()), usesDocument) {
			return &check.NotApplicable{Reason: "the client does not use its document"}
		}
		if len(p.Target.Document) == 0 {
			return &check.NotApplicable{Reason: "the target has no Document"}
		}
		var document map[string]any
		if err := json.Unmarshal(p.Target.Document, &document); err != nil {
			return l.Mismatch("a document that is a JSON object", err.Error())
		}
		return verdict(l, document)
	}
}
