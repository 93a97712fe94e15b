package checks

import (
	"encoding/json"
	"net/http"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// issuerChecks are checks of client/issuer: from the name of an authorization server to its
// endpoints (RFC 8414; MCP authorization, Authorization Server Metadata Discovery).
func issuerChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:           "client/issuer/endpoints",
				Level:        check.Must,
				EachRevision: true,
				Reference:    "RFC 8414 section 2; MCP authorization, Authorization Server Metadata Discovery",
				Sentence:     "The endpoints are those of the authorization server's metadata, and not guessed.",
				Covers:       []string{"client-as-metadata-used"},
			},
			Run: judge(lab.Script{}, func(l *lab.Lab) error {
				guessed := l.Find(func(r *lab.Request) bool {
					return r.Party == l.Authority() && (r.Path == "/authorize" || r.Path == "/token" ||
						r.Path == "/register")
				})
				if len(guessed) > 0 {
					return l.Mismatch(
						"requests to the endpoints of the metadata only",
						guessed[0].Method+" "+guessed[0].Path,
					)
				}
				return nil
			}),
		},
		{
			Rule: check.Rule{
				ID:        "client/issuer/both-documents",
				Level:     check.Must,
				Revisions: since20251125,
				Reference: "MCP 2025-11-25 authorization, Authorization Server Metadata Discovery",
				Sentence:  "Both RFC 8414 metadata and OpenID Connect Discovery are understood.",
				Covers:    []string{"client-as-both-mechanisms", "client-as-order-root-issuer"},
			},
			Run: stillWorks(
				lab.Script{},
				nil,
				variant{"only an OpenID Connect document", lab.Script{IssuerAt: []string{issuerOpenID}}},
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/issuer/root-order",
				Level:     check.Should,
				Revisions: since20251125,
				Reference: "MCP 2025-11-25 authorization, Authorization Server Metadata Discovery",
				Sentence:  "Of an issuer without a path the RFC 8414 document goes before that of OpenID Connect.",
				Covers:    []string{"client-as-order-root-issuer"},
			},
			Run: judge(
				lab.Script{IssuerAt: []string{issuerOAuth, issuerOpenID}, Metadata: onlyGoodAt(issuerOAuth)},
				wantNoTrap("the endpoints of the RFC 8414 document"),
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/issuer/path",
				Level:     check.Must,
				Revisions: since20251125,
				Reference: "MCP 2025-11-25 authorization, Authorization Server Metadata Discovery",
				Sentence:  "The metadata of an issuer with a path is found at all three places.",
				Covers:    []string{"client-as-order-path-issuer"},
			},
			Run: stillWorks(lab.Script{}, nil,
				variant{
					"RFC 8414, the path inserted",
					lab.Script{IssuerPath: "/tenant1", IssuerAt: []string{issuerOAuth + "/tenant1"}},
				},
				variant{
					"OpenID Connect, the path inserted",
					lab.Script{IssuerPath: "/tenant1", IssuerAt: []string{issuerOpenID + "/tenant1"}},
				},
				variant{
					"OpenID Connect, the path in front",
					lab.Script{IssuerPath: "/tenant1", IssuerAt: []string{"/tenant1" + issuerOpenID}},
				}),
		},
		{
			Rule: check.Rule{
				ID:        "client/issuer/path-order",
				Level:     check.Must,
				Revisions: since20251125,
				Reference: "MCP 2025-11-25 authorization, Authorization Server Metadata Discovery",
				Sentence: "Of an issuer with a path the RFC 8414 document with the path inserted goes first, then " +
					"that of OpenID Connect with the path inserted.",
				Covers: []string{"client-as-order-path-issuer"},
			},
			Run: stillWorks(lab.Script{}, wantNoTrap("the endpoints of the document that goes first"),
				variant{
					"all three documents",
					lab.Script{
						IssuerPath: "/tenant1",
						IssuerAt: []string{
							issuerOAuth + "/tenant1",
							issuerOpenID + "/tenant1",
							"/tenant1" + issuerOpenID,
						},
						Metadata: onlyGoodAt(issuerOAuth + "/tenant1"),
					},
				},
				variant{
					"both of OpenID Connect",
					lab.Script{
						IssuerPath: "/tenant1",
						IssuerAt:   []string{issuerOpenID + "/tenant1", "/tenant1" + issuerOpenID},
						Metadata:   onlyGoodAt(issuerOpenID + "/tenant1"),
					},
				}),
		},
		{
			Rule: check.Rule{
				ID:        "client/issuer/goes-on",
				Level:     check.Must,
				Revisions: since20251125,
				Reference: "RFC 8414 section 3; MCP 2025-11-25 authorization, Authorization Server Metadata Discovery",
				Sentence:  "A place for metadata that answers with a client error does not end the search.",
				Covers:    []string{"client-as-continues-after-failure"},
			},
			Run: stillWorks(
				lab.Script{},
				nil,
				failing(http.StatusNotFound),
				failing(http.StatusBadRequest),
				failing(http.StatusUnauthorized),
				failing(http.StatusForbidden),
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/issuer/foreign",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: since20250618,
				Reference: "RFC 8414 section 3.3; MCP authorization, Authorization Server Metadata Discovery",
				Sentence:  "Metadata that names another issuer than the one it was looked up for is not used.",
				Covers:    []string{"client-as-issuer-validated", "client-as-no-root-for-path-issuer", "CL-006"},
			},
			Run: noHarm(lab.Script{}, fetchedIssuer, usedIssuer,
				claiming("a foreign issuer", func(string) any { return "https://login.example.com" }),
				claiming(
					"a template as issuer",
					func(string) any { return "https://login.microsoftonline.com/{tenantid}/v2.0" },
				),
				claiming(
					"an issuer of another host",
					func(string) any { return "https://sts.windows.net/00000000-0000-0000-0000-000000000000/" },
				),
				claiming("no issuer", func(string) any { return nil })),
		},
		{
			Rule: check.Rule{
				ID:        "client/issuer/identical",
				Level:     check.Must,
				Severity:  check.Medium,
				Revisions: since20250618,
				Reference: "RFC 8414 section 3.3; RFC 3986 section 6.2.1",
				Sentence: "The issuer of the metadata has to be identical, character by character, to the one it was " +
					"looked up for.",
				Covers: []string{"client-as-issuer-validated", "CL-006"},
			},
			Run: noHarm(lab.Script{}, fetchedIssuer, usedIssuer,
				claiming("a slash at the end", func(issuer string) any { return issuer + "/" }),
				claiming(
					"another case",
					func(issuer string) any { return strings.Replace(issuer, "http://", "HTTP://", 1) },
				)),
		},
		{
			Rule: check.Rule{
				ID:        "client/issuer/port",
				Level:     check.Must,
				Severity:  check.Medium,
				Revisions: since20250618,
				Reference: "RFC 8414 section 3.3; RFC 3986 section 6.2.1",
				Sentence:  "An issuer with its default port written out is not identical to the one without.",
				Covers:    []string{"client-as-issuer-validated", "CL-006"},
			},
			Abilities: []bench.Ability{bench.UsesProxy, bench.TrustsCA},
			Run: noHarm(
				lab.Script{Public: true},
				fetchedIssuer,
				usedIssuer,
				publicly(claiming("its default port", func(issuer string) any { return issuer + ":443" })),
				publicly(claiming(
					"its host in upper case",
					func(issuer string) any { return strings.Replace(issuer, "login.", "LOGIN.", 1) },
				)),
			),
		},
	}
}

// onlyGoodAt has all other documents than the one at a path name endpoints that are traps.
func onlyGoodAt(good string) func(l *lab.Lab, party lab.Party, path string, document map[string]any) {
	return func(l *lab.Lab, _ lab.Party, path string, document map[string]any) {
		if path != good {
			for _, name := range []string{"authorization_endpoint", "token_endpoint", "registration_endpoint"} {
				document[name] = l.Origin(lab.Second) + "/doors/" + map[string]string{
					"authorization_endpoint": "in",
					"token_endpoint":         "exchange",
					"registration_endpoint":  "enrol",
				}[name]
			}
		}
	}
}

func wantNoTrap(want string) func(l *lab.Lab) error {
	return func(l *lab.Lab) error {
		if l.Used(lab.Second) {
			return l.Mismatch(want, "those of another document")
		}
		return nil
	}
}

// failing is a variant where all places but the last answer with an error.
func failing(status int) variant {
	return variant{
		http.StatusText(status) + " at the places before",
		lab.Script{
			IssuerAt: []string{issuerOpenID},
			Intercept: func(_ *lab.Lab, r *lab.Request, w http.ResponseWriter, _ *http.Request) bool {
				if r.Party != lab.Issuer || r.Path != issuerOAuth {
					return false
				}
				http.Error(w, "no", status)
				return true
			},
		},
	}
}

// claiming is a variant whose metadata, at every place, claims to be another issuer's.
func claiming(name string, issuer func(right string) any) variant {
	return variant{
		name,
		lab.Script{
			IssuerAt: []string{issuerOAuth, issuerOpenID},
			Metadata: func(_ *lab.Lab, _ lab.Party, _ string, document map[string]any) {
				if document["issuer"] = issuer(document["issuer"].(string)); document["issuer"] == nil {
					delete(document, "issuer")
				}
			},
		},
	}
}

func fetchedIssuer(l *lab.Lab) bool {
	return len(l.Find(func(r *lab.Request) bool {
		return r.Party == lab.Issuer &&
			strings.HasPrefix(r.Path, "/.well-known/")
	})) > 0
}

func usedIssuer(l *lab.Lab) string {
	if l.Used(lab.Issuer) {
		return "the endpoints of the false metadata were used"
	}
	return ""
}

func respond(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}

func publicly(one variant) variant {
	one.script.Public = true
	return one
}
