package checks

import (
	"context"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// outputChecks are checks of client/output: what a client shows to its user.
func outputChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/output/no-tokens",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "CWE-532; RFC 9700 section 4.3.2",
				Sentence: "The output of a client has no token and no client secret, also when the server " +
					"refuses a token.",
				Covers: []string{"CL-041"},
			},
			Run: outputNoTokens,
		},
	}
}

// outputNoTokens tries client/output/no-tokens. A token that a tool call finds expired can make a
// client more talkative.
func outputNoTokens(ctx context.Context, p *bench.Probe) error {
	good, err := completeTask(ctx, p, lab.Script{Refresh: true})
	if err != nil {
		return err
	}
	expired := runClient(ctx, p, lab.Script{Refresh: true, AuthMethod: "client_secret_basic", ExpiredTokens: 1})
	for _, ran := range []*lab.Lab{good, expired} {
		if kind := shownSecret(ran); kind != "" {
			return ran.Insecure("output without credentials", kind+" in the client's output")
		}
	}
	return nil
}

// shownSecret names a credential in the client's output, or returns "".
func shownSecret(l *lab.Lab) string {
	output := l.Output()
	isShown := func(secret string) bool { return strings.Contains(output, secret) }
	_, secrets := l.ClientIDs(l.Authority())
	switch {
	case slices.ContainsFunc(l.AccessTokens(l.Authority()), isShown):
		return "an access token"
	case slices.ContainsFunc(l.RefreshTokens(l.Authority()), isShown):
		return "a refresh token"
	case slices.ContainsFunc(secrets, isShown):
		return "a client secret"
	}
	return ""
}
