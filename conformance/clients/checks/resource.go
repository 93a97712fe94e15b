package checks

import (
	"fmt"
	"net/url"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// resourceChecks are checks of client/resource: what a client asks at the authorization endpoint
// (OAuth 2.1 section 4.1.1; RFC 7636; RFC 8707).
func resourceChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/resource/authorization",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: since20250618,
				Reference: "RFC 8707 section 2.1; MCP 2025-06-18 authorization, Resource Parameter Implementation",
				Sentence: "An authorization request says in resource whom the token is for, whether or not the " +
					"authorization server knows that parameter.",
				Covers: []string{"client-resource-authorization", "client-resource-always"},
			},
			Run: judge(
				lab.Script{},
				eachAuthorization(func(l *lab.Lab, asked url.Values) error {
					return wantParameter(l, asked, "resource")
				}),
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/resource/token",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: since20250618,
				Reference: "RFC 8707 section 2.2; MCP 2025-06-18 authorization, Resource Parameter Implementation",
				Sentence:  "A token request has the resource of the authorization request.",
				Covers:    []string{"client-resource-token", "client-resource-always"},
			},
			Run: judge(lab.Script{}, func(l *lab.Lab) error {
				for i, one := range l.TokenRequests(l.Authority()) {
					if err := wantParameter(l, one.Form, "resource"); err != nil {
						return err
					}
					if asked := l.Authorizations(l.Authority()); i < len(asked) &&
						asked[i].Query.Get("resource") != "" &&
						asked[i].Query.Get("resource") != one.Form.Get("resource") {
						return l.Mismatch("resource "+asked[i].Query.Get("resource"), one.Form.Get("resource"))
					}
				}
				return nil
			}),
		},
		{
			Rule: check.Rule{
				ID:        "client/resource/refresh",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: since20250618,
				Reference: "RFC 8707 section 2.2; MCP 2025-06-18 authorization, Resource Parameter Implementation",
				Sentence:  "A refresh request has the resource too.",
				Covers:    []string{"client-resource-refresh"},
			},
			Run: judge(lab.Script{Refresh: true, OldTokens: 1}, func(l *lab.Lab) error {
				made := refreshes(l, l.Authority())
				if len(made) == 0 {
					return &check.NotApplicable{Reason: "the client does not refresh"}
				}
				for _, one := range made {
					if err := wantParameter(l, one.Form, "resource"); err != nil {
						return err
					}
				}
				return nil
			}),
		},
		{
			Rule: check.Rule{
				ID:        "client/resource/value",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: since20250618,
				Reference: "RFC 8707 section 2; MCP 2025-06-18 authorization, Canonical Server URI",
				Sentence:  "The resource is the address of the MCP server, or what its metadata calls it.",
				Covers:    []string{"client-resource-identifies-server"},
			},
			Run: judge(lab.Script{}, eachAuthorization(func(l *lab.Lab, asked url.Values) error {
				if got := asked.Get("resource"); got != "" &&
					!strings.EqualFold(strings.TrimSuffix(got, "/"), l.URL()) {
					return l.Mismatch("resource "+l.URL(), got)
				}
				return nil
			})),
		},
		{
			Rule: check.Rule{
				ID:        "client/resource/canonical",
				Level:     check.Should,
				Revisions: since20250618,
				Reference: "MCP 2025-06-18 authorization, Canonical Server URI",
				Sentence: "The resource has scheme and host in lower case, no needless slash at its end, and the " +
					"most specific path.",
				Covers: []string{"client-resource-canonical-form"},
			},
			Run: stillWorks(
				lab.Script{},
				eachAuthorization(func(l *lab.Lab, asked url.Values) error {
					if got := asked.Get("resource"); got != "" && got != l.URL() {
						return l.Mismatch("resource "+l.URL(), got)
					}
					return nil
				}),
				variant{
					"an address in upper case",
					lab.Script{
						Host: "localhost",
						URL: func(l *lab.Lab) string {
							return strings.Replace(l.URL(), "http://localhost", "HTTP://LOCALHOST", 1)
						},
					},
				},
				variant{"an endpoint with a longer path", lab.Script{Path: "/team/tools/mcp"}},
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/resource/kept",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: since20250618,
				Reference: "MCP 2025-06-18 authorization, Resource Parameter Implementation",
				Sentence:  "A client does not leave out the resource because the authorization server refuses it.",
				Covers:    []string{"client-resource-always"},
			},
			Run: noHarm(
				lab.Script{},
				func(l *lab.Lab) bool { return len(l.TokenRequests(l.Authority())) > 0 },
				func(l *lab.Lab) string {
					for _, one := range l.TokenRequests(l.Authority()) {
						if !one.Form.Has("resource") {
							return "a token request without resource"
						}
					}
					return ""
				},
				variant{"the refusal invalid_target", lab.Script{Token: refusing("invalid_target", 1)}},
			),
		},
	}
}

// refusing has the first so many token requests refused.
func refusing(code string, times int) func(*lab.Lab, lab.Party, url.Values, map[string]any) int {
	return func(l *lab.Lab, party lab.Party, _ url.Values, answer map[string]any) int {
		if len(l.TokenRequests(party)) > times {
			return 0
		}
		clear(answer)
		answer["error"] = code
		return 400
	}
}

func wantParameter(l *lab.Lab, form url.Values, name string) error {
	if len(form[name]) != 1 || form.Get(name) == "" {
		return l.Mismatch("one "+name, fmt.Sprintf("%q", form[name]))
	}
	return nil
}
