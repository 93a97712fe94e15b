package checks

import (
	"context"
	"net/http"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/inputs"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// credentialsSyntaxChecks returns the checks of server/credentials about how strictly a server
// parses the Authorization header (RFC 6750 section 2.1, RFC 9110 section 11).
func credentialsSyntaxChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/credentials/lists",
				Level:     check.Should,
				Severity:  check.Medium,
				Reference: "RFC 9110 sections 11.4 and 11.6.2; OAuth 2.1 section 5.3.2",
				Sentence: "Several credentials in one Authorization line are refused, and two lines with bad " +
					"ones too (MUST).",
				Covers: []string{"RS-006", "server-malformed-authorization"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.RefusesAll(attack.Malformed, credentialsListsVectors()...),
		},
		{
			Rule: check.Rule{
				ID:        "server/credentials/blanks",
				Level:     check.Must,
				Severity:  check.Low,
				Reference: "RFC 6750 section 2.1; RFC 9110 sections 2.4, 5.5 and 11.4",
				Sentence: "Credentials are the scheme, spaces and a token. A missing token is refused, and a tab " +
					"or quotes too (policy). Spaces before the token and at the end of the line are accepted.",
				Covers: []string{"RS-008", "server-malformed-authorization"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.WithTrial(credentialsBlanks),
		},
		{
			Rule: check.Rule{
				ID:        "server/credentials/other-schemes",
				Level:     check.Should,
				Severity:  check.Medium,
				Reference: "RFC 6750 section 2.1; RFC 9110 section 11.4",
				Sentence:  "A token under a scheme other than Bearer is refused.",
				Covers:    []string{"RS-009", "server-malformed-authorization"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.RefusesAll(attack.Malformed, credentialsOtherSchemesVectors()...),
		},
		{
			Rule: check.Rule{
				ID:        "server/credentials/illegal-bytes",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "RFC 6750 section 2.1; RFC 9110 sections 2.4 and 5.5; RFC 9112 section 5.2",
				Sentence: "A token with CR, LF or NUL in it is refused or the connection is closed, and no part " +
					"of it gets into the answer. Other illegal bytes are a policy.",
				Covers: []string{"RS-010"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.WithTrial(credentialsIllegalBytes),
		},
	}
}

func credentialsListsVectors() []attack.Vector {
	const bad = attack.MalformedJWT
	return []attack.Vector{
		{
			Name:   "Bearer good, Bearer bad",
			Change: attack.Authorization(func(good string) string { return "Bearer " + good + ", Bearer " + bad }),
		},
		{
			Name:   "Bearer bad, Bearer good",
			Change: attack.Authorization(func(good string) string { return "Bearer " + bad + ", Bearer " + good }),
		},
		{
			Name:   "Bearer good,bad",
			Change: attack.Authorization(func(good string) string { return "Bearer " + good + "," + bad }),
		},
		{
			Name:     "Bearer good bad",
			Severity: check.Low,
			Change:   attack.Authorization(func(good string) string { return "Bearer " + good + " " + bad }),
		},
		{
			Name:   "Basic, then Bearer good",
			Change: attack.Authorization(func(good string) string { return "Basic eDp5, Bearer " + good }),
		},
		{
			Name:  "two lines with bad tokens",
			Level: check.Must,
			Lines: func(string) []string { return []string{"Authorization: Bearer " + bad, "Authorization: Bearer x"} },
		},
	}
}

// credentialsBlanks refuses malformed credentials, and accepts good ones with other spaces.
func credentialsBlanks(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	if err := attack.TryVectors(ctx, p, trial, attack.Malformed, credentialsBlanksVectors()...); err != nil {
		return err
	}
	for _, lenient := range []struct {
		name  string
		line  string
		level check.Level
	}{
		{"two blanks before the token", "Authorization: Bearer  " + trial.Token, check.Policy},
		{"a blank at the end of the line", "Authorization: Bearer " + trial.Token + " ", check.Should},
		{"no blank after the header's name", "Authorization:Bearer " + trial.Token, check.Must},
	} {
		conversation, err := p.Raw(ctx, p.Wire(trial.Request(), lenient.line))
		if err != nil {
			return err
		}
		if len(conversation.Answers) != 1 || conversation.Answers[0].Status != http.StatusOK {
			return p.MismatchAt(lenient.level, "status 200 with "+lenient.name, attack.Describe(conversation))
		}
	}
	return nil
}

func credentialsBlanksVectors() []attack.Vector {
	return []attack.Vector{
		{Name: "Bearer alone", Change: attack.Authorization(func(string) string { return "Bearer" })},
		{
			Name:  "Bearer and a blank",
			Lines: func(string) []string { return []string{"Authorization: Bearer "} },
		},
		{
			Name:   "a tab",
			Level:  check.Policy,
			Change: attack.Authorization(func(good string) string { return "Bearer\t" + good }),
		},
		{
			Name:   "quotes",
			Level:  check.Policy,
			Change: attack.Authorization(func(good string) string { return `Bearer "` + good + `"` }),
		},
		{
			Name:  "an empty Authorization",
			Lines: func(string) []string { return []string{"Authorization:"} },
		},
	}
}

func credentialsOtherSchemesVectors() []attack.Vector {
	return []attack.Vector{
		{
			Name:   "no scheme",
			Change: attack.Authorization(func(good string) string { return good }),
		},
		{
			Name:   "Basic",
			Change: attack.Authorization(func(good string) string { return "Basic " + good }),
		},
		{
			Name:   "DPoP",
			Change: attack.Authorization(func(good string) string { return "DPoP " + good }),
		},
		{
			Name:   "Negotiate",
			Change: attack.Authorization(func(good string) string { return "Negotiate " + good }),
		},
		{
			Name:   "Token",
			Change: attack.Authorization(func(good string) string { return "Token " + good }),
		},
		{
			Name:   "Bearerx",
			Change: attack.Authorization(func(good string) string { return "Bearerx " + good }),
		},
		{
			Name:   "Bearer:",
			Change: attack.Authorization(func(good string) string { return "Bearer:" + good }),
		},
		{
			Name:     "foo",
			Level:    check.Must,
			Severity: check.Critical,
			Change:   attack.Authorization(func(string) string { return "foo" }),
		},
	}
}

// credentialsIllegalBytes puts bytes into a good token that a token cannot have.
func credentialsIllegalBytes(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	const injected = "X-Injected"
	illegals := []illegalText{
		{"NUL", "\x00", check.Must},
		{"CR", "\r", check.Must},
		{"LF and a header", "\n" + injected + ": 1\nX-Rest: ", check.Must},
		{"CRLF and a header", "\r\n" + injected + ": 1\r\nX-Rest: ", check.Must},
		{"a quote", `"`, check.Policy},
		{"a backslash", `\`, check.Policy},
		{"UTF-8", "é", check.Policy},
		{"0x80", "\x80", check.Policy},
		{"0xff", "\xff", check.Policy},
		{"a folded line", "\r\n ", check.Must},
	}
	return inputs.TryAll(illegals, func(illegal illegalText) error {
		request := trial.Request()
		middle := len(trial.Token) / 2
		text := p.Wire(request, "Authorization: Bearer "+trial.Token[:middle]+illegal.text+trial.Token[middle:])
		name := illegal.name + " in the token"
		conversation, err := trial.WantRefusedRaw(ctx, name, request, text, attack.Malformed...)
		if err != nil {
			return inputs.Graded(err, illegal.level, "")
		}
		for _, answer := range conversation.Answers {
			if answer.Header.Get(injected) != "" {
				return p.Insecure("nothing of the request in the head of the answer", "a header from the token")
			}
		}
		if len(conversation.Answers) == 0 && !conversation.Closed {
			return p.MismatchAt(check.Policy, "an answer or the end of the connection: "+name, "silence")
		}
		return nil
	})
}

// An illegalText is text that no token has, with the level of the rule against it. Other recipients
// may recover a token from it (RFC 9110 section 2.4).
type illegalText struct {
	name  string
	text  string
	level check.Level
}
