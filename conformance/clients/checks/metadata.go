package checks

import (
	"io"
	"net/http"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// metadataChecks are checks of client/metadata: from the 401 to the issuer (RFC 9728; MCP
// authorization, Authorization Server Location).
func metadataChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/metadata/followed",
				Level:     check.Must,
				Revisions: since20250618,
				Reference: "RFC 9728 section 5; MCP authorization, Authorization Server Location",
				Sentence: "The client uses the authorization server that the metadata names, not one at the " +
					"MCP server's own origin.",
				Covers: []string{"client-prm-used"},
			},
			Run: noHarm(
				lab.Script{},
				requestedToken,
				ownEndpointsUsed,
				variant{
					"authorization server metadata at the server's own origin",
					lab.Script{Intercept: ownIssuer},
				},
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/metadata/header-first",
				Level:     check.Must,
				Revisions: since20250618,
				Reference: "MCP authorization, Protected Resource Metadata Discovery Requirements",
				Sentence: "The client reads the metadata at the URL in the challenge, whatever the " +
					"well-known locations serve.",
				Covers: []string{"client-prm-header-first"},
			},
			Run: stillWorks(lab.Script{}, wantChallengedDocument,
				variant{
					"metadata only at the URL in the challenge",
					lab.Script{ResourceAt: []string{"/described"}},
				},
				variant{
					"other documents at the well-known locations",
					lab.Script{
						ResourceAt: []string{"/described", resourcePath, resourceRoot},
						Resource:   secondUnlessDescribed,
					},
				}),
		},
		{
			Rule: check.Rule{
				ID:        "client/metadata/well-known",
				Level:     check.Must,
				Revisions: since20251125,
				Reference: "MCP 2025-11-25 authorization, Protected Resource Metadata Discovery Requirements",
				Sentence: "Without a URL in the challenge the client looks at the well-known location of the " +
					"endpoint's path, then at the root.",
				Covers: []string{"client-prm-fallback-order"},
			},
			Run: stillWorks(lab.Script{}, wantPathDocument,
				variant{
					"the root document only",
					lab.Script{ResourceAt: []string{resourceRoot}, Challenge: challengeWithoutURL},
				},
				variant{"no challenge at all", lab.Script{Challenge: func(*lab.Lab) []string { return nil }}},
				variant{
					"both documents",
					lab.Script{
						ResourceAt: []string{resourcePath, resourceRoot},
						Challenge:  challengeWithoutURL,
						Resource:   secondAtRoot,
					},
				}),
		},
		{
			Rule: check.Rule{
				ID:        "client/metadata/resource",
				Level:     check.Must,
				Severity:  check.Critical,
				Revisions: since20250618,
				Reference: "RFC 9728 section 3.3; MCP authorization, Authorization Server Location",
				Sentence:  "Metadata for a resource other than the server is not used.",
				Covers:    []string{"client-prm-resource-checked", "CL-004"},
			},
			Run: noHarm(lab.Script{}, fetchedMetadata, secondUsed,
				otherResource("another origin", func(*lab.Lab) any { return "https://mcp.example.com/mcp" }),
				otherResource("another port", func(l *lab.Lab) any { return l.Origin(lab.Trap) + "/mcp" }),
				otherResource("another case", func(l *lab.Lab) any { return l.Origin(lab.Server) + "/MCP" }),
				otherResource("a sibling path", func(l *lab.Lab) any { return l.Origin(lab.Server) + "/mcp2" }),
				otherResource(
					"a host with the same beginning",
					func(l *lab.Lab) any { return l.Origin(lab.Server) + ".example.com/mcp" },
				)),
		},
		{
			Rule: check.Rule{
				ID:        "client/metadata/unknown-members",
				Level:     check.Must,
				Revisions: since20250618,
				Reference: "RFC 9728 section 2",
				Sentence:  "Unknown members of the metadata are ignored.",
				Covers:    []string{"client-prm-ignores-unknown"},
			},
			Run: stillWorks(
				lab.Script{},
				nil,
				variant{
					"unknown members of every type",
					lab.Script{Resource: func(_ *lab.Lab, _ string, document map[string]any) { addUnknown(document) }},
				},
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/metadata/invalid",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: since20250618,
				Reference: "RFC 9728 sections 2 and 3.2",
				Sentence:  "Only a 200 response with a JSON object that names a resource is used as metadata.",
				Covers:    []string{"client-prm-invalid-rejected", "CL-004"},
			},
			Run: noHarm(
				lab.Script{},
				fetchedMetadata,
				secondUsed,
				otherResource("a document without resource", func(*lab.Lab) any { return nil }),
				otherResource("a number as resource", func(*lab.Lab) any { return 7 }),
				metadataAnswer("a document in an array", http.StatusOK, "["+validMetadata+"]"),
				metadataAnswer("the body of a 404", http.StatusNotFound, validMetadata),
				metadataAnswer("the body of a 500", http.StatusInternalServerError, validMetadata),
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/metadata/read-again",
				Level:     check.Should,
				Revisions: since20250618,
				Reference: "RFC 9728 section 5.2",
				Sentence:  "After a new challenge the client reads the metadata again and uses the new values.",
				Covers:    []string{"client-prm-refetch-on-challenge"},
			},
			Needs: []bench.Need{bench.Calling},
			Run:   judgeAfter(lab.Script{ExpiredTokens: 1}, movesIssuer(), wantNewServer),
		},
		{
			Rule: check.Rule{
				ID:        "client/metadata/query",
				Level:     check.Must,
				Severity:  check.Medium,
				Revisions: since20250618,
				Reference: "RFC 9728 section 3.3",
				Sentence:  "Metadata for the server's URL with another query is not used.",
				Covers:    []string{"client-prm-resource-checked", "CL-004"},
			},
			Run: noHarm(lab.Script{}, fetchedMetadata, secondUsed,
				otherResource("another query", func(l *lab.Lab) any { return l.URL() + "?tenant=b" })),
		},
	}
}

// ownEndpointsUsed reports requests to OAuth endpoints at the MCP server's own origin.
func ownEndpointsUsed(l *lab.Lab) string {
	if l.Saw(func(r *lab.Request) bool {
		return r.Party == lab.Server && strings.HasPrefix(r.Path, "/doors/")
	}) {
		return "the endpoints at the server's own origin were used"
	}
	return ""
}

// secondUnlessDescribed names the second authorization server in the documents at well-known
// locations.
func secondUnlessDescribed(l *lab.Lab, path string, document map[string]any) {
	if path != "/described" {
		document["authorization_servers"] = []string{l.IssuerID(lab.Second)}
	}
}

// secondAtRoot names the second authorization server in the root document.
func secondAtRoot(l *lab.Lab, path string, document map[string]any) {
	if path == resourceRoot {
		document["authorization_servers"] = []string{l.IssuerID(lab.Second)}
	}
}

// wantChallengedDocument wants no use of the authorization server that the well-known documents
// name.
func wantChallengedDocument(l *lab.Lab) error {
	if l.Used(lab.Second) {
		return l.Mismatch(
			"the authorization server of the document that the challenge names",
			"the authorization server of a well-known document",
		)
	}
	return nil
}

// wantPathDocument wants no use of the authorization server that the root document names.
func wantPathDocument(l *lab.Lab) error {
	if l.Used(lab.Second) {
		return l.Mismatch(
			"the authorization server of the path's document",
			"the authorization server of the root document",
		)
	}
	return nil
}

// wantNewServer wants the client to use the authorization server that the metadata names now. A
// client can also refuse it, because its client ID is for the other one.
func wantNewServer(l *lab.Lab) error {
	if l.Used(lab.Second) || refusedNewServer(l) {
		return nil
	}
	return l.Mismatch(
		"a sign-in at the authorization server that the metadata names now",
		"no sign-in there",
	)
}

// refusedNewServer reports whether the client read the metadata again, and did not go back to the
// first authorization server.
func refusedNewServer(l *lab.Lab) bool {
	again := false
	for _, request := range l.Record() {
		switch {
		case request.Party == lab.Issuer && len(l.AccessTokens(lab.Issuer)) > 0:
			again = false
		case request.Party == lab.Server && strings.HasPrefix(request.Path, resourceRoot):
			again = true
		}
	}
	return again
}

// movesIssuer is a lab whose metadata names another authorization server after the first token,
// which expires at once.
func movesIssuer() lab.Script {
	return lab.Script{ExpiredTokens: 1, Resource: moveIssuerAfter(1)}
}

// Well-known locations of metadata (RFC 9728 section 3, RFC 8414 section 3). The path form is for
// an endpoint at /mcp.
const (
	resourceRoot = "/.well-known/oauth-protected-resource"
	resourcePath = "/.well-known/oauth-protected-resource/mcp"
	issuerOAuth  = "/.well-known/oauth-authorization-server"
	issuerOpenID = "/.well-known/openid-configuration"
)

// challengeWithoutURL is a challenge without resource_metadata.
func challengeWithoutURL(*lab.Lab) []string { return []string{`Bearer realm="lab"`} }

// otherResource returns a variant whose metadata names another resource and the second
// authorization server. A nil resource removes the member.
func otherResource(name string, resource func(l *lab.Lab) any) variant {
	change := func(l *lab.Lab, _ string, document map[string]any) {
		document["authorization_servers"] = []string{l.IssuerID(lab.Second)}
		setMember(document, "resource", resource(l))
	}
	return variant{name, lab.Script{Resource: change}}
}

// validMetadata is a body for metadataAnswer.
const validMetadata = `{"resource":"%r","authorization_servers":["%s"]}`

// metadataAnswer returns a variant that answers requests for metadata with a status and a body. In
// the body %r is the MCP server's URL, and %s is the second issuer.
func metadataAnswer(name string, status int, body string) variant {
	answer := func(l *lab.Lab, r *lab.Request, w http.ResponseWriter, _ *http.Request) bool {
		if r.Party != lab.Server || !isResourceMetadata(r) {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		filled := strings.NewReplacer("%r", l.URL(), "%s", l.IssuerID(lab.Second)).Replace(body)
		_, _ = io.WriteString(w, filled)
		return true
	}
	return variant{name, lab.Script{Intercept: answer}}
}

// fetchedMetadata reports whether the client asked for protected resource metadata.
func fetchedMetadata(l *lab.Lab) bool {
	return l.Saw(func(r *lab.Request) bool { return r.Party == lab.Server && isResourceMetadata(r) })
}

// moveIssuerAfter makes the metadata name the second authorization server after the first has
// issued this many tokens.
func moveIssuerAfter(tokens int) func(l *lab.Lab, path string, document map[string]any) {
	return func(l *lab.Lab, _ string, document map[string]any) {
		if len(l.AccessTokens(lab.Issuer)) >= tokens {
			document["authorization_servers"] = []string{l.IssuerID(lab.Second)}
		}
	}
}

// ownIssuer serves authorization server metadata at the MCP server's own origin.
func ownIssuer(l *lab.Lab, r *lab.Request, w http.ResponseWriter, _ *http.Request) bool {
	locations := []string{issuerOAuth, issuerOpenID, issuerOAuth + "/mcp", issuerOpenID + "/mcp"}
	if r.Party != lab.Server || !slices.Contains(locations, r.Path) {
		return false
	}
	document := l.Metadata(lab.Server, r.Path)
	if strings.HasSuffix(r.Path, "/mcp") {
		document["issuer"] = l.Origin(lab.Server) + "/mcp"
	}
	respond(w, document)
	return true
}

// addUnknown adds unregistered members of every JSON type.
func addUnknown(document map[string]any) {
	for name, value := range map[string]any{
		"x_text":    "text",
		"x_number":  1.5,
		"x_yes":     true,
		"x_nothing": nil,
		"x_list":    []any{1, "a", nil},
		"x_object":  map[string]any{"a": []any{}},
	} {
		document[name] = value
	}
}
