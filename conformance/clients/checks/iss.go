package checks

import (
	"net/url"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// issChecks are checks of client/iss.
func issChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/iss/accepted",
				Level:     check.Must,
				Revisions: since20260728,
				Reference: "RFC 9207 section 2.4; MCP 2026-07-28 authorization, Authorization Response Validation",
				Sentence: "An answer goes on whose iss is that of the authorization server, announced or not, and " +
					"one without iss where none is announced.",
				Covers: []string{
					"client-iss-match-accepted",
					"client-iss-unadvertised-compared",
					"client-iss-absent-accepted",
				},
			},
			Run: stillWorks(lab.Script{}, nil,
				variant{"a fixtureht iss that was not announced", lab.Script{Metadata: announcing(false)}},
				variant{"no iss, and none announced", lab.Script{Metadata: announcing(false), Answers: without("iss")}},
				variant{"a fixtureht iss that has to be encoded", lab.Script{IssuerPath: "/tenant+1"}}),
		},
		{
			Rule: check.Rule{
				ID:        "client/iss/foreign",
				Level:     check.Must,
				Severity:  check.Critical,
				Revisions: since20260728,
				Reference: "RFC 9207 section 2.4; MCP 2026-07-28 authorization, Authorization Response Validation",
				Sentence:  "An answer with another iss than that of the authorization server is not used.",
				Covers:    []string{"client-iss-mismatch-rejected", "client-iss-recorded", "CL-008"},
			},
			Run: noHarm(
				lab.Script{},
				authorized,
				firstRedeemed,
				earlier("a foreign iss", "iss", "https://login.example.com"),
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/iss/missing",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: since20260728,
				Reference: "RFC 9207 section 2.4; MCP 2026-07-28 authorization, Authorization Response Validation",
				Sentence:  "An answer without iss is not used where the authorization server has announced one.",
				Covers:    []string{"client-iss-missing-rejected", "CL-008"},
			},
			Run: noHarm(lab.Script{}, authorized, firstRedeemed, earlier("no iss", "iss", "")),
		},
		{
			Rule: check.Rule{
				ID:        "client/iss/unannounced",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: since20260728,
				Reference: "RFC 9207 section 2.4; MCP 2026-07-28 authorization, Authorization Response Validation",
				Sentence:  "An iss that was not announced is compared all the same.",
				Covers:    []string{"client-iss-unadvertised-compared", "CL-008"},
			},
			Run: noHarm(
				lab.Script{},
				authorized,
				firstRedeemed,
				variant{
					"a foreign iss that was not announced",
					lab.Script{Metadata: announcing(false), Answers: with("iss", "https://login.example.com")},
				},
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/iss/identical",
				Level:     check.Must,
				Severity:  check.Medium,
				Revisions: since20260728,
				Reference: "RFC 9207 section 2.4; MCP 2026-07-28 authorization, Authorization Response Validation",
				Sentence:  "The iss is compared character by character.",
				Covers:    []string{"client-iss-no-normalization", "CL-008"},
			},
			Run: noHarm(lab.Script{}, authorized, firstRedeemed,
				altered("a slash at the end", func(iss string) string { return iss + "/" }),
				altered("another case", func(iss string) string { return strings.ToUpper(iss[:4]) + iss[4:] }),
				altered(
					"a letter in percent-encoding",
					func(iss string) string { return strings.Replace(iss, "tenant", "%74enant", 1) },
				)),
		},
		{
			Rule: check.Rule{
				ID:        "client/iss/error",
				Level:     check.Must,
				Severity:  check.Medium,
				Revisions: since20260728,
				Reference: "RFC 9207 section 2.4; MCP 2026-07-28 authorization, Authorization Response Validation",
				Sentence:  "What an answer with a foreign iss says of an error is not shown.",
				Covers:    []string{"client-iss-error-response", "CL-008"},
			},
			Run: noHarm(
				lab.Script{},
				authorized,
				func(l *lab.Lab) string {
					if strings.Contains(l.Output(), "canary-of-a-foreign-error") {
						return "the user was shown the foreign description"
					}
					return ""
				},
				variant{
					"an error of a foreign issuer",
					lab.Script{Answers: func(_ *lab.Lab, a *lab.Authorization) []lab.Answer {
						return []lab.Answer{{Params: url.Values{
							"error":             {"access_denied"},
							"error_description": {"canary-of-a-foreign-error"},
							"state":             {a.Params.Get("state")},
							"iss":               {"https://login.example.com"},
						}}, a.Right()}
					}},
				},
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/iss/port",
				Level:     check.Must,
				Severity:  check.Medium,
				Revisions: since20260728,
				Reference: "RFC 9207 section 2.4; MCP 2026-07-28 authorization, Authorization Response Validation",
				Sentence: "An iss with the default port written out, or the host in upper case, is not the " +
					"authorization server's.",
				Covers: []string{"client-iss-no-normalization", "CL-008"},
			},
			Abilities: []bench.Ability{bench.UsesProxy, bench.TrustsCA},
			Run: noHarm(
				lab.Script{Public: true},
				authorized,
				firstRedeemed,
				publicly(altered(
					"its default port",
					func(iss string) string { return strings.Replace(iss, "/tenant1", ":443/tenant1", 1) },
				)),
				publicly(altered(
					"its host in upper case",
					func(iss string) string { return strings.Replace(iss, "login.", "LOGIN.", 1) },
				)),
			),
		},
	}
}

func altered(name string, change func(iss string) string) variant {
	return variant{
		"an iss with " + name,
		lab.Script{
			IssuerPath: "/tenant1",
			Answers: func(_ *lab.Lab, a *lab.Authorization) []lab.Answer {
				return []lab.Answer{a.With("iss", change(a.Issuer)), a.Right()}
			},
		},
	}
}

func announcing(yes bool) func(*lab.Lab, lab.Party, string, map[string]any) {
	return func(_ *lab.Lab, _ lab.Party, _ string, document map[string]any) {
		if document["authorization_response_iss_parameter_supported"] = yes; !yes {
			delete(document, "authorization_response_iss_parameter_supported")
		}
	}
}

func without(parameter string) func(*lab.Lab, *lab.Authorization) []lab.Answer {
	return func(_ *lab.Lab, a *lab.Authorization) []lab.Answer { return []lab.Answer{a.With(parameter, "")} }
}
