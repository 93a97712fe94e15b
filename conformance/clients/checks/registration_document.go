package checks

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// registrationDocumentChecks are checks of client/registration: client ID metadata documents (MCP
// 2025-11-25 authorization, Client ID Metadata Documents).
func registrationDocumentChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/registration/document",
				Level:     check.Should,
				Revisions: since20251125,
				Reference: "MCP 2025-11-25 authorization, Client ID Metadata Documents",
				Sentence: "If the authorization server accepts client ID metadata documents, a client that " +
					"has one uses it instead of registering.",
				Covers: []string{"client-cimd-supported", "client-registration-priority", "client-cimd-portable"},
			},
			Abilities: []bench.Ability{bench.ClientDocument},
			Run: stillWorks(
				lab.Script{},
				wantDocumentURL,
				variant{
					"metadata that accepts documents and registrations",
					lab.Script{Metadata: acceptDocuments(true)},
				},
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/registration/document-flag",
				Level:     check.Should,
				Revisions: since20251125,
				Reference: "MCP 2025-11-25 authorization, Advertising CIMD Support",
				Sentence: "A client uses the URL of its metadata document only if the authorization server " +
					"announces that it accepts documents.",
				Covers: []string{"client-cimd-flag-checked"},
			},
			Abilities: []bench.Ability{bench.ClientDocument},
			Needs:     []bench.Need{bench.Registering},
			Run: stillWorks(
				lab.Script{},
				wantNoDocumentURL,
				variant{"metadata without a word about documents", lab.Script{}},
				variant{"metadata that declines documents", lab.Script{Metadata: acceptDocuments(false)}},
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/registration/document-url",
				Level:     check.Must,
				Revisions: since20251125,
				Reference: "MCP 2025-11-25 authorization, Client ID Metadata Documents, Implementation Requirements",
				Sentence: "The URL of a client ID metadata document is https, has a path, and has no fragment, user " +
					"information or dot segments.",
				Covers: []string{"client-cimd-url-shape"},
			},
			Abilities: []bench.Ability{bench.ClientDocument},
			Run:       judge(lab.Script{Metadata: acceptDocuments(true)}, wantDocumentURLShape),
		},
	}
}

// wantDocumentURL wants an https URL as client_id.
func wantDocumentURL(l *lab.Lab) error {
	for _, request := range l.Authorizations(l.Authority()) {
		if id := request.Query.Get("client_id"); !strings.HasPrefix(id, "https://") {
			return l.Mismatch("an https URL as client_id", fmt.Sprintf("%q", id))
		}
	}
	return nil
}

// wantNoDocumentURL wants a client_id that is not an https URL.
func wantNoDocumentURL(l *lab.Lab) error {
	for _, request := range l.Authorizations(l.Authority()) {
		if strings.HasPrefix(request.Query.Get("client_id"), "https://") {
			return l.Mismatch("a client_id that is not a URL", request.Query.Get("client_id"))
		}
	}
	return nil
}

// wantDocumentURLShape wants a client_id of the form that the specification gives.
func wantDocumentURLShape(l *lab.Lab) error {
	for _, request := range l.Authorizations(l.Authority()) {
		id := request.Query.Get("client_id")
		if strings.Contains(id, "://") && !isDocumentURL(id) {
			return l.Mismatch(
				"an https URL with a path, without fragment, user information or dot segments",
				fmt.Sprintf("%q", id),
			)
		}
	}
	return nil
}

// isDocumentURL reports whether a URL has the form of a client ID metadata document's URL.
func isDocumentURL(text string) bool {
	parsed, err := url.Parse(text)
	if err != nil || parsed.Scheme != "https" || parsed.User != nil {
		return false
	}
	hasFragment := strings.Contains(text, "#")
	hasPath := strings.Trim(parsed.Path, "/") != ""
	segments := strings.Split(parsed.EscapedPath(), "/")
	hasDots := slices.Contains(segments, ".") || slices.Contains(segments, "..")
	return hasPath && !hasFragment && !hasDots
}

// acceptDocuments says in the metadata whether client ID metadata documents are accepted.
func acceptDocuments(yes bool) func(*lab.Lab, lab.Party, string, map[string]any) {
	return func(_ *lab.Lab, _ lab.Party, _ string, document map[string]any) {
		document["client_id_metadata_document_supported"] = yes
	}
}
