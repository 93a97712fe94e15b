package checks

import (
	"context"
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
				Sentence: "A response with the right iss is accepted, announced or not. A response without " +
					"iss is accepted if none is announced.",
				Covers: []string{
					"client-iss-match-accepted",
					"client-iss-unadvertised-compared",
					"client-iss-absent-accepted",
				},
			},
			Run: stillWorks(lab.Script{}, nil,
				variant{"the right iss, not announced", lab.Script{Metadata: announceNoIss}},
				variant{
					"no iss, and none announced",
					lab.Script{Metadata: announceNoIss, Answers: withoutIss},
				},
				variant{"the right iss, with a character that must be encoded", lab.Script{IssuerPath: "/tenant+1"}}),
		},
		{
			Rule: check.Rule{
				ID:        "client/iss/foreign",
				Level:     check.Must,
				Severity:  check.Critical,
				Revisions: since20260728,
				Reference: "RFC 9207 section 2.4; MCP 2026-07-28 authorization, Authorization Response Validation",
				Sentence:  "An authorization response with the iss of another issuer is not used.",
				Covers:    []string{"client-iss-mismatch-rejected", "client-iss-recorded", "CL-008"},
			},
			Run: noHarm(
				lab.Script{},
				authorized,
				firstRedeemed,
				wrongAnswerFirst("a foreign iss", "iss", "https://login.example.com"),
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/iss/missing",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: since20260728,
				Reference: "RFC 9207 section 2.4; MCP 2026-07-28 authorization, Authorization Response Validation",
				Sentence: "An authorization response without iss is not used if the authorization server " +
					"announced one.",
				Covers: []string{"client-iss-missing-rejected", "CL-008"},
			},
			Run: ifIssCompared(
				noHarm(lab.Script{}, authorized, firstRedeemed, wrongAnswerFirst("no iss", "iss", "")),
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/iss/unannounced",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: since20260728,
				Reference: "RFC 9207 section 2.4; MCP 2026-07-28 authorization, Authorization Response Validation",
				Sentence:  "An iss that was not announced is compared, too.",
				Covers:    []string{"client-iss-unadvertised-compared", "CL-008"},
			},
			Run: ifIssCompared(noHarm(
				lab.Script{},
				authorized,
				firstRedeemed,
				variant{
					"a foreign iss, not announced",
					lab.Script{
						Metadata: announceNoIss,
						Answers:  wrongThenRight("iss", "https://login.example.com"),
					},
				},
			)),
		},
		{
			Rule: check.Rule{
				ID:        "client/iss/identical",
				Level:     check.Must,
				Severity:  check.Low,
				Revisions: since20260728,
				Reference: "RFC 9207 section 2.4; MCP 2026-07-28 authorization, Authorization Response Validation",
				Sentence:  "The iss is compared character by character.",
				Covers:    []string{"client-iss-no-normalization", "CL-008"},
			},
			Run: ifIssCompared(noHarm(lab.Script{}, authorized, firstRedeemed,
				changedIss("a slash at the end", func(iss string) string { return iss + "/" }),
				changedIss("another case", func(iss string) string { return strings.ToUpper(iss[:4]) + iss[4:] }),
				changedIss(
					"a letter in percent-encoding",
					func(iss string) string { return strings.Replace(iss, "tenant", "%74enant", 1) },
				))),
		},
		{
			Rule: check.Rule{
				ID:        "client/iss/error",
				Level:     check.Must,
				Severity:  check.Medium,
				Revisions: since20260728,
				Reference: "RFC 9207 section 2.4; MCP 2026-07-28 authorization, Authorization Response Validation",
				Sentence:  "The error text of a response with a foreign iss is not shown.",
				Covers:    []string{"client-iss-error-response", "CL-008"},
			},
			Run: ifIssCompared(noHarm(
				lab.Script{},
				authorized,
				foreignErrorShown,
				variant{"an error of a foreign issuer", lab.Script{Answers: foreignError}},
			)),
		},
		{
			Rule: check.Rule{
				ID:        "client/iss/port",
				Level:     check.Must,
				Severity:  check.Low,
				Revisions: since20260728,
				Reference: "RFC 9207 section 2.4; MCP 2026-07-28 authorization, Authorization Response Validation",
				Sentence: "An iss with an explicit default port, or with the host in upper case, does not " +
					"match the authorization server.",
				Covers: []string{"client-iss-no-normalization", "CL-008"},
			},
			Abilities: []bench.Ability{bench.UsesProxy, bench.TrustsCA},
			Run: ifIssCompared(noHarm(
				lab.Script{Public: true},
				authorized,
				firstRedeemed,
				onPublicNetwork(changedIss(
					"its default port",
					func(iss string) string { return strings.Replace(iss, "/tenant1", ":443/tenant1", 1) },
				)),
				onPublicNetwork(changedIss(
					"its host in upper case",
					func(iss string) string { return strings.Replace(iss, "login.", "LOGIN.", 1) },
				)),
			)),
		},
	}
}

// ifIssCompared skips a check of the comparison if the client compares no iss.
func ifIssCompared(run runFunc) runFunc {
	return func(ctx context.Context, p *bench.Probe) error {
		foreign := wrongAnswerFirst("a foreign iss", "iss", "https://login.example.com")
		if firstRedeemed(runClient(ctx, p, foreign.script)) != "" {
			return &check.Skipped{Of: "client/iss/foreign", Reason: "the client compares no iss"}
		}
		return run(ctx, p)
	}
}

// foreignErrorShown reports a foreign error in the output.
func foreignErrorShown(l *lab.Lab) string {
	if strings.Contains(l.Output(), "canary-of-a-foreign-error") {
		return "the output shows the foreign description"
	}
	return ""
}

// foreignError sends an error from another issuer, and then the right answer.
func foreignError(_ *lab.Lab, a *lab.Authorization) []lab.Answer {
	foreign := url.Values{
		"error":             {"access_denied"},
		"error_description": {"canary-of-a-foreign-error"},
		"state":             {a.Params.Get("state")},
		"iss":               {"https://login.example.com"},
	}
	return []lab.Answer{{Params: foreign}, a.Right()}
}

// changedIss returns a variant that sends a response with a changed iss before the right one.
func changedIss(name string, change func(iss string) string) variant {
	answers := func(_ *lab.Lab, a *lab.Authorization) []lab.Answer {
		return []lab.Answer{a.With("iss", change(a.Issuer)), a.Right()}
	}
	return variant{"an iss with " + name, lab.Script{IssuerPath: "/tenant1", Answers: answers}}
}

// announceNoIss removes the announcement of iss from the metadata.
func announceNoIss(_ *lab.Lab, _ lab.Party, _ string, document map[string]any) {
	delete(document, "authorization_response_iss_parameter_supported")
}

// withoutIss sends the right response without iss.
func withoutIss(_ *lab.Lab, a *lab.Authorization) []lab.Answer {
	return []lab.Answer{a.With("iss", "")}
}
