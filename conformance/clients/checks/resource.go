package checks

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
	"mcpentra/conformance/internal/inputs"
)

// resourceChecks are checks of client/resource: the resource parameter (RFC 8707).
func resourceChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/resource/authorization",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: since20250618,
				Reference: "RFC 8707 section 2.1; MCP 2025-06-18 authorization, Resource Parameter Implementation",
				Sentence: "An authorization request names the MCP server in resource, even if the " +
					"authorization server does not know the parameter.",
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
			Run: judge(lab.Script{}, wantSameResource),
		},
		{
			Rule: check.Rule{
				ID:        "client/resource/refresh",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: since20250618,
				Reference: "RFC 8707 section 2.2; MCP 2025-06-18 authorization, Resource Parameter Implementation",
				Sentence:  "A refresh request has the resource, too.",
				Covers:    []string{"client-resource-refresh"},
			},
			Needs: []bench.Need{bench.Calling},
			Run:   judge(lab.Script{Refresh: true, ExpiredTokens: 1}, wantRefreshResource),
		},
		{
			Rule: check.Rule{
				ID:        "client/resource/value",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: since20250618,
				Reference: "RFC 8707 section 2; MCP 2025-06-18 authorization, Canonical Server URI",
				Sentence:  "The resource is the MCP server's URL. Its origin or a path above it breaks a SHOULD.",
				Covers:    []string{"client-resource-identifies-server"},
			},
			Run: judge(lab.Script{}, eachAuthorization(wantServerAsResource)),
		},
		{
			Rule: check.Rule{
				ID:        "client/resource/canonical",
				Level:     check.Should,
				Revisions: since20250618,
				Reference: "MCP 2025-06-18 authorization, Canonical Server URI",
				Sentence: "The resource has a lower-case scheme and host, no needless slash at the end, and " +
					"the most specific path.",
				Covers: []string{"client-resource-canonical-form"},
			},
			Run: stillWorks(
				lab.Script{},
				eachAuthorization(wantCanonicalResource),
				variant{
					"a URL in upper case",
					lab.Script{Host: "localhost", URL: upperCaseURL},
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
				Sentence:  "A client does not drop the resource because the authorization server refuses it.",
				Covers:    []string{"client-resource-always"},
			},
			Run: noHarm(
				lab.Script{},
				requestedToken,
				droppedResource,
				variant{"the refusal invalid_target", lab.Script{Token: refuseToken("invalid_target", 1)}},
			),
		},
	}
}

// wantSameResource wants the resource of the authorization request in the token request.
func wantSameResource(l *lab.Lab) error {
	asked := l.Authorizations(l.Authority())
	for i, request := range l.TokenRequests(l.Authority()) {
		if err := wantParameter(l, request.Form, "resource"); err != nil {
			return err
		}
		if i >= len(asked) {
			continue
		}
		want := asked[i].Query.Get("resource")
		if got := request.Form.Get("resource"); want != "" && got != want {
			return l.Mismatch("resource "+want, got)
		}
	}
	return nil
}

// wantRefreshResource wants a resource in each refresh request.
func wantRefreshResource(l *lab.Lab) error {
	made := refreshRequests(l, l.Authority())
	if len(made) == 0 {
		return &check.NotApplicable{Reason: "the client does not refresh"}
	}
	for _, request := range made {
		if err := wantParameter(l, request.Form, "resource"); err != nil {
			return err
		}
	}
	return nil
}

// wantServerAsResource wants the MCP server's URL as resource. Other checks want the parameter.
func wantServerAsResource(l *lab.Lab, asked url.Values) error {
	if got := asked.Get("resource"); got != "" {
		return wantResource(l, got)
	}
	return nil
}

// wantResource wants a resource that is the MCP server's URL, in any case. The origin and paths
// above the endpoint are canonical URIs too, but clients SHOULD take the most specific one (MCP
// authorization, Canonical Server URI).
func wantResource(l *lab.Lab, got string) error {
	text := strings.ToLower(strings.TrimSuffix(got, "/"))
	err := l.Mismatch("resource "+l.URL(), fmt.Sprintf("%q", got))
	switch {
	case text == strings.ToLower(l.URL()):
		return nil
	case strings.HasPrefix(text, l.Origin(lab.Server)) && strings.HasPrefix(l.URL(), text+"/"):
		return inputs.Graded(err, check.Should, check.Medium)
	}
	return err
}

// wantCanonicalResource wants the MCP server's URL in its canonical form.
func wantCanonicalResource(l *lab.Lab, asked url.Values) error {
	if got := asked.Get("resource"); got != "" && got != l.URL() {
		return l.Mismatch("resource "+l.URL(), got)
	}
	return nil
}

// droppedResource reports a token request without resource.
func droppedResource(l *lab.Lab) string {
	for _, request := range l.TokenRequests(l.Authority()) {
		if !request.Form.Has("resource") {
			return "a token request without resource"
		}
	}
	return ""
}

// refuseToken refuses the first token requests with an error code, this many times.
func refuseToken(code string, times int) func(*lab.Lab, lab.Party, url.Values, map[string]any) int {
	return func(l *lab.Lab, party lab.Party, _ url.Values, answer map[string]any) int {
		if len(l.TokenRequests(party)) > times {
			return 0
		}
		clear(answer)
		answer["error"] = code
		return http.StatusBadRequest
	}
}

// upperCaseURL returns the MCP server's URL with scheme and host in upper case.
func upperCaseURL(l *lab.Lab) string {
	return strings.Replace(l.URL(), "http://localhost", "HTTP://LOCALHOST", 1)
}

// wantParameter wants a parameter exactly once, with a value.
func wantParameter(l *lab.Lab, form url.Values, name string) error {
	if len(form[name]) != 1 || form.Get(name) == "" {
		return l.Mismatch("one "+name, fmt.Sprintf("%q", form[name]))
	}
	return nil
}
