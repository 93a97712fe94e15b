package checks

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// issuerChecks are checks of client/issuer: from an issuer to its endpoints (RFC 8414; MCP
// authorization, Authorization Server Metadata Discovery).
func issuerChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:           "client/issuer/endpoints",
				Level:        check.Must,
				EachRevision: true,
				Reference:    "RFC 8414 section 2; MCP authorization, Authorization Server Metadata Discovery",
				Sentence:     "The client uses the endpoints in the authorization server's metadata, and guesses none.",
				Covers:       []string{"client-as-metadata-used"},
			},
			Run: judge(lab.Script{}, wantNoGuesses),
		},
		{
			Rule: check.Rule{
				ID:        "client/issuer/both-documents",
				Level:     check.Must,
				Revisions: since20251125,
				Reference: "MCP 2025-11-25 authorization, Authorization Server Metadata Discovery",
				Sentence:  "The client understands both RFC 8414 metadata and OpenID Connect Discovery.",
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
				Sentence: "For an issuer without a path, the RFC 8414 document comes before the OpenID " +
					"Connect document.",
				Covers: []string{"client-as-order-root-issuer"},
			},
			Run: judge(
				lab.Script{IssuerAt: []string{issuerOAuth, issuerOpenID}, Metadata: goodOnlyAt(issuerOAuth)},
				wantSecondUnused("the endpoints of the RFC 8414 document"),
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/issuer/path",
				Level:     check.Must,
				Revisions: since20251125,
				Reference: "MCP 2025-11-25 authorization, Authorization Server Metadata Discovery",
				Sentence:  "The metadata of an issuer with a path is found at all three locations.",
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
				Sentence: "For an issuer with a path, the RFC 8414 document with the path inserted comes " +
					"first, then the OpenID Connect document with the path inserted.",
				Covers: []string{"client-as-order-path-issuer"},
			},
			Run: stillWorks(lab.Script{}, wantSecondUnused("the endpoints of the document that comes first"),
				variant{
					"all three documents",
					lab.Script{
						IssuerPath: "/tenant1",
						IssuerAt: []string{
							issuerOAuth + "/tenant1",
							issuerOpenID + "/tenant1",
							"/tenant1" + issuerOpenID,
						},
						Metadata: goodOnlyAt(issuerOAuth + "/tenant1"),
					},
				},
				variant{
					"both OpenID Connect documents",
					lab.Script{
						IssuerPath: "/tenant1",
						IssuerAt:   []string{issuerOpenID + "/tenant1", "/tenant1" + issuerOpenID},
						Metadata:   goodOnlyAt(issuerOpenID + "/tenant1"),
					},
				}),
		},
		{
			Rule: check.Rule{
				ID:        "client/issuer/goes-on",
				Level:     check.Must,
				Revisions: since20251125,
				Reference: "RFC 8414 section 3; MCP 2025-11-25 authorization, Authorization Server Metadata Discovery",
				Sentence:  "A metadata location that answers with a client error does not end the search.",
				Covers:    []string{"client-as-continues-after-failure"},
			},
			Run: stillWorks(
				lab.Script{},
				nil,
				failedLookup(http.StatusNotFound),
				failedLookup(http.StatusBadRequest),
				failedLookup(http.StatusUnauthorized),
				failedLookup(http.StatusForbidden),
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/issuer/foreign",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: since20250618,
				Reference: "RFC 8414 section 3.3; MCP authorization, Authorization Server Metadata Discovery",
				Sentence:  "Metadata that names another issuer than the client looked for is not used.",
				Covers:    []string{"client-as-issuer-validated", "client-as-no-root-for-path-issuer", "CL-006"},
			},
			Run: noHarm(lab.Script{}, fetchedIssuer, issuerUsed,
				otherIssuer("a foreign issuer", func(string) any { return "https://login.example.com" }),
				otherIssuer(
					"a template as issuer",
					func(string) any { return "https://login.microsoftonline.com/{tenantid}/v2.0" },
				),
				otherIssuer(
					"an issuer of another host",
					func(string) any { return "https://sts.windows.net/00000000-0000-0000-0000-000000000000/" },
				),
				otherIssuer("no issuer", func(string) any { return nil })),
		},
		{
			Rule: check.Rule{
				ID:        "client/issuer/identical",
				Level:     check.Must,
				Severity:  check.Low,
				Revisions: since20250618,
				Reference: "RFC 8414 section 3.3; RFC 3986 section 6.2.1",
				Sentence: "The issuer in the metadata equals the issuer that the client looked for, " +
					"character by character.",
				Covers: []string{"client-as-issuer-validated", "CL-006"},
			},
			Run: noHarm(lab.Script{}, fetchedIssuer, issuerUsed,
				otherIssuer("a slash at the end", func(issuer string) any { return issuer + "/" }),
				otherIssuer(
					"another case",
					func(issuer string) any { return strings.Replace(issuer, "http://", "HTTP://", 1) },
				)),
		},
		{
			Rule: check.Rule{
				ID:        "client/issuer/port",
				Level:     check.Must,
				Severity:  check.Low,
				Revisions: since20250618,
				Reference: "RFC 8414 section 3.3; RFC 3986 section 6.2.1",
				Sentence:  "An issuer with an explicit default port is not identical to the issuer without it.",
				Covers:    []string{"client-as-issuer-validated", "CL-006"},
			},
			Abilities: []bench.Ability{bench.UsesProxy, bench.TrustsCA},
			Run: noHarm(
				lab.Script{Public: true},
				fetchedIssuer,
				issuerUsed,
				onPublicNetwork(otherIssuer("its default port", func(issuer string) any { return issuer + ":443" })),
				onPublicNetwork(otherIssuer(
					"its host in upper case",
					func(issuer string) any { return strings.Replace(issuer, "login.", "LOGIN.", 1) },
				)),
			),
		},
	}
}

// wantNoGuesses wants no request to an endpoint that the metadata does not name.
func wantNoGuesses(l *lab.Lab) error {
	defaults := []string{"/authorize", "/token", "/register"}
	guessed := l.Find(func(r *lab.Request) bool {
		return r.Party == l.Authority() && slices.Contains(defaults, r.Path)
	})
	if len(guessed) > 0 {
		return l.Mismatch(
			"requests to the endpoints of the metadata only",
			guessed[0].Method+" "+guessed[0].Path,
		)
	}
	return nil
}

// goodOnlyAt replaces the endpoints in every document except the one at path good. They lead to the
// second authorization server.
func goodOnlyAt(good string) func(l *lab.Lab, party lab.Party, path string, document map[string]any) {
	return func(l *lab.Lab, _ lab.Party, path string, document map[string]any) {
		if path == good {
			return
		}
		document["authorization_endpoint"] = l.Origin(lab.Second) + "/doors/in"
		document["token_endpoint"] = l.Origin(lab.Second) + "/doors/exchange"
		document["registration_endpoint"] = l.Origin(lab.Second) + "/doors/enrol"
	}
}

// wantSecondUnused wants no use of the second authorization server.
func wantSecondUnused(want string) func(l *lab.Lab) error {
	return func(l *lab.Lab) error {
		if l.Used(lab.Second) {
			return l.Mismatch(want, "the endpoints of another document")
		}
		return nil
	}
}

// failedLookup returns a variant where each location before the last answers with a status.
func failedLookup(status int) variant {
	fail := func(_ *lab.Lab, r *lab.Request, w http.ResponseWriter, _ *http.Request) bool {
		if r.Party != lab.Issuer || r.Path != issuerOAuth {
			return false
		}
		http.Error(w, "no", status)
		return true
	}
	return variant{
		http.StatusText(status) + " at the earlier locations",
		lab.Script{IssuerAt: []string{issuerOpenID}, Intercept: fail},
	}
}

// otherIssuer returns a variant with another issuer in the metadata at every location. A nil issuer
// removes the member.
func otherIssuer(name string, issuer func(right string) any) variant {
	change := func(_ *lab.Lab, _ lab.Party, _ string, document map[string]any) {
		setMember(document, "issuer", issuer(document["issuer"].(string)))
	}
	return variant{name, lab.Script{IssuerAt: []string{issuerOAuth, issuerOpenID}, Metadata: change}}
}

// fetchedIssuer reports whether the client asked for the authorization server's metadata.
func fetchedIssuer(l *lab.Lab) bool {
	return l.Saw(func(r *lab.Request) bool {
		return r.Party == lab.Issuer && strings.HasPrefix(r.Path, "/.well-known/")
	})
}

// issuerUsed reports use of an authorization server with false metadata.
func issuerUsed(l *lab.Lab) string {
	if l.Used(lab.Issuer) {
		return "the endpoints of the false metadata were used"
	}
	return ""
}

// respond answers with JSON.
func respond(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}

// onPublicNetwork moves a variant to a lab with public names.
func onPublicNetwork(v variant) variant {
	v.script.Public = true
	return v
}
