package checks

import (
	"fmt"
	"net/http"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// challengeChecks are checks of client/challenge.
func challengeChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/challenge/forms",
				Level:     check.Must,
				Revisions: since20250618,
				Reference: "RFC 9110 section 11.6.1; MCP authorization, Protected Resource Metadata Discovery " +
					"Requirements",
				Sentence: "A Bearer challenge is understood in every form that the grammar allows: beside other " +
					"schemes, in lines of its own, in any case and spacing.",
				Covers: []string{"client-401-starts-flow", "CL-026"},
			},
			Run: stillWorks(
				lab.Script{},
				nil,
				challenged("after Basic in one line", `Basic realm="a, b", %s`),
				challenged("after Basic in a line of its own", `Basic realm="x"`, `%s`),
				challenged("before Basic", `%s, Basic realm="x"`),
				challenged("with an unquoted error", `%s, error=invalid_token`),
				challenged("with commas and an equals sign in quotes", `Bearer realm="a, b=c, \"d\"", %s`),
				challenged("in lower case", `bearer %s`),
				challenged("with odd spacing", `Bearer   realm="x" ,   %s`),
				challenged("after a scheme with a token68", `Negotiate abc==, %s`),
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/challenge/body",
				Level:     check.Must,
				Severity:  check.Medium,
				Revisions: since20250618,
				Reference: "RFC 9728 section 5.1; MCP authorization, Protected Resource Metadata Discovery " +
					"Requirements",
				Sentence: "Only the challenge in the header says where to sign in; what the body of a 401 says is " +
					"not followed.",
				Covers: []string{"CL-052"},
			},
			Run: noHarm(
				lab.Script{},
				authorizedOrNot,
				func(l *lab.Lab) string {
					if len(l.Find(func(r *lab.Request) bool {
						return r.Party == lab.Trap ||
							r.Party == lab.Second
					})) > 0 {
						return "an address in the body was visited"
					}
					return ""
				},
				variant{
					"a body that names a sign-in page",
					lab.Script{
						Intercept: func(l *lab.Lab, r *lab.Request, w http.ResponseWriter, _ *http.Request) bool {
							if r.Party != lab.Server || r.Path != "/mcp" || r.Bearer() != "" {
								return false
							}
							w.Header().Set("WWW-Authenticate", l.Challenge())
							w.Header().Set("Content-Type", "application/json")
							w.WriteHeader(http.StatusUnauthorized)
							page := l.Origin(lab.Trap) + "/login"
							_, _ = w.Write(
								[]byte(
									`{"jsonrpc":"2.0","id":1,"error":{"code":-32001,"message":"sign in at ` + page +
										`","data":{"authorization_url":"` + page +
										`","resource_metadata":"` + page + `","url":"` + page +
										`"}},"resource_metadata":"` +
										page + `","authorization_uri":"` + page + `"}`,
								),
							)
							return true
						},
					},
				},
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/challenge/malformed",
				Level:     check.Policy,
				Revisions: since20251125,
				Reference: "RFC 9110 section 11.6.1; MCP 2025-11-25 authorization, Protected Resource Metadata " +
					"Discovery " +
					"Requirements",
				Sentence: "Where the challenge is not well formed, the client looks for the metadata at the " +
					"well-known " +
					"addresses.",
			},
			Run: stillWorks(lab.Script{}, nil,
				malformed("two addresses", `Bearer resource_metadata="%[1]s", resource_metadata="%[1]s"`),
				malformed("a relative address", `Bearer resource_metadata="`+resourcePath+`"`),
				malformed("no quotes", `Bearer resource_metadata=%s`),
				malformed("single quotes", `Bearer resource_metadata='%s'`)),
		},
	}
}

func authorizedOrNot(*lab.Lab) bool { return true }

// challenged is a variant whose challenge is the lines, in which %s is the good challenge, or its
// parameters where the line names the scheme itself.
func challenged(name string, lines ...string) variant {
	return variant{
		"the challenge " + name,
		lab.Script{
			ResourceAt: []string{"/described"},
			Challenge: func(l *lab.Lab) []string {
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
			},
		},
	}
}

// malformed is a variant with a challenge that is not well formed, or whose address is not
// absolute.
func malformed(name, challenge string) variant {
	return variant{"a challenge with " + name, lab.Script{Challenge: func(l *lab.Lab) []string {
		if !strings.Contains(challenge, "%") {
			return []string{challenge}
		}
		return []string{fmt.Sprintf(challenge, l.Origin(lab.Server)+resourcePath)}
	}}}
}
