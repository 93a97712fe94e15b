package checks

import (
	"fmt"
	"io"
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
				Sentence: "A Bearer challenge is understood in every form that the grammar allows: beside " +
					"other schemes, on a line of its own, in any case and spacing.",
				Covers: []string{"client-401-starts-flow", "CL-026"},
			},
			Needs: []bench.Need{bench.Asking},
			Run: stillWorks(
				lab.Script{},
				nil,
				validChallenge("after Basic in one line", `Basic realm="a, b", %s`),
				validChallenge("after Basic in a line of its own", `Basic realm="x"`, `%s`),
				validChallenge("before Basic", `%s, Basic realm="x"`),
				validChallenge("with an unquoted error", `%s, error=invalid_token`),
				validChallenge("with commas and an equals sign in quotes", `Bearer realm="a, b=c, \"d\"", %s`),
				validChallenge("in lower case", `bearer %s`),
				validChallenge("with odd spacing", `Bearer   realm="x" ,   %s`),
				validChallenge("after a scheme with a token68", `Negotiate abc==, %s`),
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/challenge/body",
				Level:     check.Policy,
				Severity:  check.Medium,
				Revisions: since20250618,
				Reference: "RFC 9728 section 5.1; MCP authorization, Protected Resource Metadata Discovery " +
					"Requirements",
				Sentence: "Only the challenge in the header says where to sign in. The client follows no " +
					"address in the body of a 401.",
				Covers: []string{"CL-052"},
			},
			Run: noHarm(
				lab.Script{},
				nil,
				visitedBodyAddress,
				variant{"a body that names a sign-in page", lab.Script{Intercept: signInPageInBody}},
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/challenge/malformed",
				Level:     check.Policy,
				Revisions: since20251125,
				Reference: "RFC 9110 section 11.6.1; MCP 2025-11-25 authorization, Protected Resource Metadata " +
					"Discovery Requirements",
				Sentence: "When the challenge is malformed, the client looks for the metadata at the " +
					"well-known locations.",
			},
			Needs: []bench.Need{bench.Asking},
			Run: stillWorks(lab.Script{}, nil,
				malformedChallenge("two addresses", `Bearer resource_metadata="%[1]s", resource_metadata="%[1]s"`),
				malformedChallenge("a relative address", `Bearer resource_metadata="`+resourcePath+`"`),
				malformedChallenge("no quotes", `Bearer resource_metadata=%s`),
				malformedChallenge("single quotes", `Bearer resource_metadata='%s'`)),
		},
	}
}

// visitedBodyAddress reports a visit to an address that only the body of the 401 names.
func visitedBodyAddress(l *lab.Lab) string {
	if l.Saw(func(r *lab.Request) bool { return r.Party == lab.Trap || r.Party == lab.Second }) {
		return "the address in the body was visited"
	}
	return ""
}

// signInPageInBody refuses with a body that names a sign-in page in many members.
func signInPageInBody(l *lab.Lab, r *lab.Request, w http.ResponseWriter, _ *http.Request) bool {
	if r.Party != lab.Server || r.Path != "/mcp" || r.Bearer() != "" {
		return false
	}
	w.Header().Set("WWW-Authenticate", l.Challenge())
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusUnauthorized)
	const body = `{
		"jsonrpc": "2.0",
		"id": 1,
		"error": {
			"code": -32001,
			"message": "sign in at PAGE",
			"data": {"authorization_url":"PAGE", "resource_metadata": "PAGE", "url": "PAGE"}
		},
		"resource_metadata": "PAGE",
		"authorization_uri": "PAGE"
	}`
	_, _ = io.WriteString(w, strings.ReplaceAll(body, "PAGE", l.Origin(lab.Trap)+"/login"))
	return true
}

// validChallenge returns a variant with these lines as the challenge. In a line, %s is the good
// challenge, or only its parameters if the line names the scheme itself.
func validChallenge(name string, lines ...string) variant {
	challenge := func(l *lab.Lab) []string {
		good := `resource_metadata="` + l.Origin(lab.Server) + `/described"`
		var all []string
		for _, line := range lines {
			text := good
			if !strings.HasPrefix(strings.ToLower(line), "bearer") {
				text = "Bearer " + good
			}
			all = append(all, strings.Replace(line, "%s", text, 1))
		}
		return all
	}
	return variant{
		"the challenge " + name,
		lab.Script{ResourceAt: []string{"/described"}, Challenge: challenge},
	}
}

// malformedChallenge returns a variant with a malformed challenge, or with a relative URL in it.
func malformedChallenge(name, challenge string) variant {
	lines := func(l *lab.Lab) []string {
		if !strings.Contains(challenge, "%") {
			return []string{challenge}
		}
		return []string{fmt.Sprintf(challenge, l.Origin(lab.Server)+resourcePath)}
	}
	return variant{"a challenge with " + name, lab.Script{Challenge: lines}}
}
