package checks

import (
	"net/http"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// metadataChecks are checks of client/metadata: from the 401 to the name of an authorization server
// (RFC 9728; MCP authorization, Authorization Server Location).
func metadataChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/metadata/followed",
				Level:     check.Must,
				Revisions: since20250618,
				Reference: "RFC 9728 section 5; MCP authorization, Authorization Server Location",
				Sentence: "The authorization server is the one that the server's metadata names, and not one that " +
					"the server's own origin seems to have.",
				Covers: []string{"client-prm-used"},
			},
			Run: noHarm(lab.Script{}, (*lab.Lab).Called, func(l *lab.Lab) string {
				if len(l.Find(func(r *lab.Request) bool {
					return r.Party == lab.Server &&
						strings.HasPrefix(r.Path, "/doors/")
				})) > 0 {
					return "the endpoints at the server's own origin were used"
				}
				return ""
			}, variant{"authorization server metadata at the server's own origin", lab.Script{Intercept: ownIssuer}}),
		},
		{
			Rule: check.Rule{
				ID:        "client/metadata/header-first",
				Level:     check.Must,
				Revisions: since20250618,
				Reference: "MCP authorization, Protected Resource Metadata Discovery Requirements",
				Sentence:  "The metadata is read where the challenge says, whatever stands at the well-known places.",
				Covers:    []string{"client-prm-header-first"},
			},
			Run: stillWorks(lab.Script{}, func(l *lab.Lab) error {
				if l.Used(lab.Second) {
					return l.Mismatch(
						"the authorization server of the document that the challenge names",
						"that of a well-known place",
					)
				}
				return nil
			},
				variant{
					"the metadata is at the challenge's address only",
					lab.Script{ResourceAt: []string{"/described"}},
				},
				variant{
					"other documents at the well-known places",
					lab.Script{
						ResourceAt: []string{"/described", resourcePath, resourceRoot},
						Resource: func(l *lab.Lab, path string, document map[string]any) {
							if path != "/described" {
								document["authorization_servers"] = []string{l.IssuerID(lab.Second)}
							}
						},
					},
				}),
		},
		{
			Rule: check.Rule{
				ID:        "client/metadata/well-known",
				Level:     check.Must,
				Revisions: since20251125,
				Reference: "MCP 2025-11-25 authorization, Protected Resource Metadata Discovery Requirements",
				Sentence: "Without an address in the challenge the metadata is looked for at the place of the " +
					"endpoint's path, and then at the root.",
				Covers: []string{"client-prm-fallback-order"},
			},
			Run: stillWorks(lab.Script{}, func(l *lab.Lab) error {
				if l.Used(lab.Second) {
					return l.Mismatch("the authorization server of the path's document", "that of the root's")
				}
				return nil
			},
				variant{
					"the root document only",
					lab.Script{ResourceAt: []string{resourceRoot}, Challenge: plainChallenge},
				},
				variant{"no challenge at all", lab.Script{Challenge: func(*lab.Lab) []string { return nil }}},
				variant{
					"both documents",
					lab.Script{
						ResourceAt: []string{resourcePath, resourceRoot},
						Challenge:  plainChallenge,
						Resource: func(l *lab.Lab, path string, document map[string]any) {
							if path == resourceRoot {
								document["authorization_servers"] = []string{l.IssuerID(lab.Second)}
							}
						},
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
				Sentence:  "Metadata that describes another resource than the server is not used.",
				Covers:    []string{"client-prm-resource-checked", "CL-004"},
			},
			Run: noHarm(lab.Script{}, fetchedMetadata, secondUsed,
				describing("another origin", func(*lab.Lab) any { return "https://mcp.example.com/mcp" }),
				describing("another port", func(l *lab.Lab) any { return l.Origin(lab.Trap) + "/mcp" }),
				describing("the path in another case", func(l *lab.Lab) any { return l.Origin(lab.Server) + "/MCP" }),
				describing("a sibling path", func(l *lab.Lab) any { return l.Origin(lab.Server) + "/mcp2" }),
				describing(
					"a host that begins alike",
					func(l *lab.Lab) any { return l.Origin(lab.Server) + ".example.com/mcp" },
				)),
		},
		{
			Rule: check.Rule{
				ID:        "client/metadata/unknown-members",
				Level:     check.Must,
				Revisions: since20250618,
				Reference: "RFC 9728 section 2",
				Sentence:  "Members of the metadata that a client does not know are ignored.",
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
				Sentence: "What is not an answer 200 with a JSON object that names a resource is not used " +
					"as metadata.",
				Covers: []string{"client-prm-invalid-rejected", "CL-004"},
			},
			Run: noHarm(
				lab.Script{},
				fetchedMetadata,
				secondUsed,
				describing("a document without resource", func(*lab.Lab) any { return nil }),
				describing("a number as resource", func(*lab.Lab) any { return 7 }),
				answering(
					"a document in an array",
					http.StatusOK,
					`[{"resource":"%r","authorization_servers":["%s"]}]`,
				),
				answering("the body of a 404", http.StatusNotFound, `{"resource":"%r","authorization_servers":["%s"]}`),
				answering(
					"the body of a 500",
					http.StatusInternalServerError,
					`{"resource":"%r","authorization_servers":["%s"]}`,
				),
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/metadata/read-again",
				Level:     check.Should,
				Revisions: since20250618,
				Reference: "RFC 9728 section 5.2",
				Sentence:  "A new challenge has the metadata read again, and what it says now is used.",
				Covers:    []string{"client-prm-refetch-on-challenge"},
			},
			Run: judge(lab.Script{OldTokens: 1, Resource: moved(1)}, func(l *lab.Lab) error {
				if !l.Used(lab.Second) {
					return l.Mismatch(
						"a sign-in at the authorization server that the metadata names now",
						"a sign-in at the one before",
					)
				}
				return nil
			}),
		},
		{
			Rule: check.Rule{
				ID:        "client/metadata/query",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: since20250618,
				Reference: "RFC 9728 section 3.3",
				Sentence:  "Metadata that describes the server's URL with another query is not used.",
				Covers:    []string{"client-prm-resource-checked", "CL-004"},
			},
			Run: noHarm(lab.Script{}, fetchedMetadata, secondUsed,
				describing("another query", func(l *lab.Lab) any { return l.URL() + "?tenant=b" })),
		},
	}
}

const (
	resourceRoot = "/.well-known/oauth-protected-resource"
	resourcePath = "/.well-known/oauth-protected-resource/mcp"
	issuerOAuth  = "/.well-known/oauth-authorization-server"
	issuerOpenID = "/.well-known/openid-configuration"
)

func plainChallenge(*lab.Lab) []string { return []string{`Bearer realm="lab"`} }

// describing is a variant whose metadata names another resource, and an authorization server that
// is named nowhere else.
func describing(name string, resource func(l *lab.Lab) any) variant {
	return variant{name, lab.Script{Resource: func(l *lab.Lab, _ string, document map[string]any) {
		document["authorization_servers"] = []string{l.IssuerID(lab.Second)}
		if document["resource"] = resource(l); document["resource"] == nil {
			delete(document, "resource")
		}
	}}}
}

// answering is a variant where something else stands where the metadata should.
func answering(name string, status int, body string) variant {
	return variant{
		name,
		lab.Script{Intercept: func(l *lab.Lab, r *lab.Request, w http.ResponseWriter, _ *http.Request) bool {
			if r.Party != lab.Server || !strings.HasPrefix(r.Path, resourceRoot) {
				return false
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(strings.NewReplacer("%r", l.URL(), "%s", l.IssuerID(lab.Second)).Replace(body)))
			return true
		}},
	}
}

func fetchedMetadata(l *lab.Lab) bool {
	return len(l.Find(func(r *lab.Request) bool {
		return r.Party == lab.Server &&
			strings.HasPrefix(r.Path, resourceRoot)
	})) > 0
}

// moved has the metadata name the other authorization server once so many tokens have been issued
// by the first.
func moved(tokens int) func(l *lab.Lab, path string, document map[string]any) {
	return func(l *lab.Lab, _ string, document map[string]any) {
		if len(l.AccessTokens(lab.Issuer)) >= tokens {
			document["authorization_servers"] = []string{l.IssuerID(lab.Second)}
		}
	}
}

// ownIssuer has the MCP server's origin pose as an authorization server.
func ownIssuer(l *lab.Lab, r *lab.Request, w http.ResponseWriter, _ *http.Request) bool {
	if r.Party != lab.Server ||
		!slices.Contains([]string{issuerOAuth, issuerOpenID, issuerOAuth + "/mcp", issuerOpenID + "/mcp"}, r.Path) {
		return false
	}
	origin := l.Origin(lab.Server)
	respond(w, map[string]any{
		"issuer":                           origin,
		"authorization_endpoint":           origin + "/doors/in",
		"token_endpoint":                   origin + "/doors/exchange",
		"registration_endpoint":            origin + "/doors/enrol",
		"response_types_supported":         []string{"code"},
		"code_challenge_methods_supported": []string{"S256"},
	})
	return true
}

// addUnknown adds members of every type whose names are registered nowhere.
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
