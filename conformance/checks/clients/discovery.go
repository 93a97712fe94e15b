package clients

import (
	"net/http"
	"slices"
	"strings"

	"mcpentra/conformance/engine"
	"mcpentra/conformance/lab"
)

const (
	resourceRoot = "/.well-known/oauth-protected-resource"
	resourcePath = "/.well-known/oauth-protected-resource/mcp"
	issuerOAuth  = "/.well-known/oauth-authorization-server"
	issuerOpenID = "/.well-known/openid-configuration"
)

// clientDiscovery: from the 401 to the name of an authorization server (RFC 9728; MCP authorization, Authorization Server Location).
func clientDiscovery() []engine.Check {
	return []engine.Check{
		{
			ID: "client/flow/completes", Role: engine.Client, Level: engine.Must, EachRevision: true,
			Reference: "MCP authorization, Authorization Flow",
			Sentence:  "Where everything is in order a client that is refused signs in, lists the tools and calls one.",
			Covers:    []string{"client-401-starts-flow"},
			RunClient: observed(lab.Script{}, func(l *lab.Lab) error {
				if !authorized(l) && len(l.TokenRequests(l.Authority())) == 0 {
					return l.Mismatch("a sign-in after the 401", "none")
				}
				return nil
			}),
		},
		{
			ID: "client/challenge/forms", Role: engine.Client, Level: engine.Must, Revisions: since20250618,
			Reference: "RFC 9110 section 11.6.1; MCP authorization, Protected Resource Metadata Discovery Requirements",
			Sentence:  "A Bearer challenge is understood in every form that the grammar allows: beside other schemes, in lines of its own, in any case and spacing.",
			Covers:    []string{"client-401-starts-flow", "CL-026"},
			RunClient: works(lab.Script{}, nil,
				challenged("after Basic in one line", `Basic realm="a, b", %s`), challenged("after Basic in a line of its own", `Basic realm="x"`, `%s`),
				challenged("before Basic", `%s, Basic realm="x"`), challenged("with an unquoted error", `%s, error=invalid_token`),
				challenged("with commas and an equals sign in quotes", `Bearer realm="a, b=c, \"d\"", %s`), challenged("in lower case", `bearer %s`), challenged("with odd spacing", `Bearer   realm="x" ,   %s`),
				challenged("after a scheme with a token68", `Negotiate abc==, %s`)),
		},
		{
			ID: "client/challenge/body", Role: engine.Client, Level: engine.Must, Revisions: since20250618, Severity: engine.Medium,
			Reference: "RFC 9728 section 5.1; MCP authorization, Protected Resource Metadata Discovery Requirements",
			Sentence:  "Only the challenge in the header says where to sign in; what the body of a 401 says is not followed.",
			Covers:    []string{"CL-052"},
			RunClient: spared(lab.Script{}, authorizedOrNot, func(l *lab.Lab) string {
				if len(l.Find(func(r *lab.Request) bool { return r.Party == lab.Trap || r.Party == lab.Second })) > 0 {
					return "an address in the body was visited"
				}
				return ""
			}, variant{"a body that names a sign-in page", lab.Script{Intercept: func(l *lab.Lab, r *lab.Request, w http.ResponseWriter, _ *http.Request) bool {
				if r.Party != lab.Server || r.Path != "/mcp" || r.Bearer() != "" {
					return false
				}
				w.Header().Set("WWW-Authenticate", l.Challenge())
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusUnauthorized)
				page := l.Origin(lab.Trap) + "/login"
				_, _ = w.Write([]byte(`{"jsonrpc":"2.0","id":1,"error":{"code":-32001,"message":"sign in at ` + page + `","data":{"authorization_url":"` + page +
					`","resource_metadata":"` + page + `","url":"` + page + `"}},"resource_metadata":"` + page + `","authorization_uri":"` + page + `"}`))
				return true
			}}}),
		},
		{
			ID: "client/metadata/followed", Role: engine.Client, Level: engine.Must, Revisions: since20250618,
			Reference: "RFC 9728 section 5; MCP authorization, Authorization Server Location",
			Sentence:  "The authorization server is the one that the server's metadata names, and not one that the server's own origin seems to have.",
			Covers:    []string{"client-prm-used"},
			RunClient: spared(lab.Script{}, (*lab.Lab).Called, func(l *lab.Lab) string {
				if len(l.Find(func(r *lab.Request) bool { return r.Party == lab.Server && strings.HasPrefix(r.Path, "/doors/") })) > 0 {
					return "the endpoints at the server's own origin were used"
				}
				return ""
			}, variant{"authorization server metadata at the server's own origin", lab.Script{Intercept: ownIssuer}}),
		},
		{
			ID: "client/metadata/header-first", Role: engine.Client, Level: engine.Must, Revisions: since20250618,
			Reference: "MCP authorization, Protected Resource Metadata Discovery Requirements",
			Sentence:  "The metadata is read where the challenge says, whatever stands at the well-known places.",
			Covers:    []string{"client-prm-header-first"},
			RunClient: works(lab.Script{}, func(l *lab.Lab) error {
				if l.Used(lab.Second) {
					return l.Mismatch("the authorization server of the document that the challenge names", "that of a well-known place")
				}
				return nil
			},
				variant{"the metadata is at the challenge's address only", lab.Script{ResourceAt: []string{"/described"}}},
				variant{"other documents at the well-known places", lab.Script{ResourceAt: []string{"/described", resourcePath, resourceRoot}, Resource: func(l *lab.Lab, path string, document map[string]any) {
					if path != "/described" {
						document["authorization_servers"] = []string{l.IssuerID(lab.Second)}
					}
				}}}),
		},
		{
			ID: "client/metadata/well-known", Role: engine.Client, Level: engine.Must, Revisions: since20251125,
			Reference: "MCP 2025-11-25 authorization, Protected Resource Metadata Discovery Requirements",
			Sentence:  "Without an address in the challenge the metadata is looked for at the place of the endpoint's path, and then at the root.",
			Covers:    []string{"client-prm-fallback-order"},
			RunClient: works(lab.Script{}, func(l *lab.Lab) error {
				if l.Used(lab.Second) {
					return l.Mismatch("the authorization server of the path's document", "that of the root's")
				}
				return nil
			},
				variant{"the root document only", lab.Script{ResourceAt: []string{resourceRoot}, Challenge: plainChallenge}},
				variant{"no challenge at all", lab.Script{Challenge: func(*lab.Lab) []string { return nil }}},
				variant{"both documents", lab.Script{ResourceAt: []string{resourcePath, resourceRoot}, Challenge: plainChallenge, Resource: func(l *lab.Lab, path string, document map[string]any) {
					if path == resourceRoot {
						document["authorization_servers"] = []string{l.IssuerID(lab.Second)}
					}
				}}}),
		},
		{
			ID: "client/metadata/resource", Role: engine.Client, Level: engine.Must, Revisions: since20250618, Severity: engine.Critical,
			Reference: "RFC 9728 section 3.3; MCP authorization, Authorization Server Location",
			Sentence:  "Metadata that describes another resource than the server is not used.",
			Covers:    []string{"client-prm-resource-checked", "CL-004"},
			RunClient: spared(lab.Script{}, fetchedMetadata, secondUsed,
				describing("another origin", func(*lab.Lab) any { return "https://mcp.example.com/mcp" }),
				describing("another port", func(l *lab.Lab) any { return l.Origin(lab.Trap) + "/mcp" }),
				describing("the path in another case", func(l *lab.Lab) any { return l.Origin(lab.Server) + "/MCP" }),
				describing("a sibling path", func(l *lab.Lab) any { return l.Origin(lab.Server) + "/mcp2" }),
				describing("a host that begins alike", func(l *lab.Lab) any { return l.Origin(lab.Server) + ".example.com/mcp" })),
		},
		{
			ID: "client/metadata/unknown-members", Role: engine.Client, Level: engine.Must, Revisions: since20250618,
			Reference: "RFC 9728 section 2",
			Sentence:  "Members of the metadata that a client does not know are ignored.",
			Covers:    []string{"client-prm-ignores-unknown"},
			RunClient: works(lab.Script{}, nil, variant{"unknown members of every type", lab.Script{Resource: func(_ *lab.Lab, _ string, document map[string]any) { addUnknown(document) }}}),
		},
		{
			ID: "client/metadata/invalid", Role: engine.Client, Level: engine.Must, Revisions: since20250618, Severity: engine.High,
			Reference: "RFC 9728 sections 2 and 3.2",
			Sentence:  "What is not an answer 200 with a JSON object that names a resource is not used as metadata.",
			Covers:    []string{"client-prm-invalid-rejected", "CL-004"},
			RunClient: spared(lab.Script{}, fetchedMetadata, secondUsed,
				describing("a document without resource", func(*lab.Lab) any { return nil }), describing("a number as resource", func(*lab.Lab) any { return 7 }),
				answering("a document in an array", http.StatusOK, `[{"resource":"%r","authorization_servers":["%s"]}]`),
				answering("the body of a 404", http.StatusNotFound, `{"resource":"%r","authorization_servers":["%s"]}`),
				answering("the body of a 500", http.StatusInternalServerError, `{"resource":"%r","authorization_servers":["%s"]}`)),
		},
		{
			ID: "client/metadata/read-again", Role: engine.Client, Level: engine.Should, Revisions: since20250618,
			Reference: "RFC 9728 section 5.2",
			Sentence:  "A new challenge has the metadata read again, and what it says now is used.",
			Covers:    []string{"client-prm-refetch-on-challenge"},
			RunClient: observed(lab.Script{OldTokens: 1, Resource: moved(1)}, func(l *lab.Lab) error {
				if !l.Used(lab.Second) {
					return l.Mismatch("a sign-in at the authorization server that the metadata names now", "a sign-in at the one before")
				}
				return nil
			}),
		},
	}
}

func authorizedOrNot(*lab.Lab) bool { return true }

// challenged is a variant whose challenge is the lines, in which %s is the good challenge, or its parameters where the line names the scheme itself.
func challenged(name string, lines ...string) variant {
	return variant{"the challenge " + name, lab.Script{ResourceAt: []string{"/described"}, Challenge: func(l *lab.Lab) []string {
		good := `resource_metadata="` + l.Origin(lab.Server) + `/described"`
		var all []string
		for _, line := range lines {
			with := good
			if !strings.HasPrefix(strings.ToLower(line), "bearer") {
				with = "Bearer " + good
			}
			all = append(all, strings.Replace(line, "%s", with, 1))
		}
		return all
	}}}
}

func plainChallenge(*lab.Lab) []string { return []string{`Bearer realm="lab"`} }

// describing is a variant whose metadata names another resource, and an authorization server that is named nowhere else.
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
	return variant{name, lab.Script{Intercept: func(l *lab.Lab, r *lab.Request, w http.ResponseWriter, _ *http.Request) bool {
		if r.Party != lab.Server || !strings.HasPrefix(r.Path, resourceRoot) {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(strings.NewReplacer("%r", l.URL(), "%s", l.IssuerID(lab.Second)).Replace(body)))
		return true
	}}}
}

func fetchedMetadata(l *lab.Lab) bool {
	return len(l.Find(func(r *lab.Request) bool { return r.Party == lab.Server && strings.HasPrefix(r.Path, resourceRoot) })) > 0
}

// moved has the metadata name the other authorization server once so many tokens have been issued by the first.
func moved(tokens int) func(l *lab.Lab, path string, document map[string]any) {
	return func(l *lab.Lab, _ string, document map[string]any) {
		if len(l.AccessTokens(lab.Issuer)) >= tokens {
			document["authorization_servers"] = []string{l.IssuerID(lab.Second)}
		}
	}
}

// ownIssuer has the MCP server's origin pose as an authorization server.
func ownIssuer(l *lab.Lab, r *lab.Request, w http.ResponseWriter, _ *http.Request) bool {
	if r.Party != lab.Server || !slices.Contains([]string{issuerOAuth, issuerOpenID, issuerOAuth + "/mcp", issuerOpenID + "/mcp"}, r.Path) {
		return false
	}
	origin := l.Origin(lab.Server)
	respond(w, map[string]any{
		"issuer": origin, "authorization_endpoint": origin + "/doors/in", "token_endpoint": origin + "/doors/exchange", "registration_endpoint": origin + "/doors/enrol",
		"response_types_supported": []string{"code"}, "code_challenge_methods_supported": []string{"S256"},
	})
	return true
}

// addUnknown adds members of every type whose names are registered nowhere.
func addUnknown(document map[string]any) {
	for name, value := range map[string]any{"x_text": "text", "x_number": 1.5, "x_yes": true, "x_nothing": nil, "x_list": []any{1, "a", nil}, "x_object": map[string]any{"a": []any{}}} {
		document[name] = value
	}
}
