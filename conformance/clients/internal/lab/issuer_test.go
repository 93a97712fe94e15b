package lab_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/lab"
	"mcpentra/conformance/issuers"
)

// lenient are rules that the lab's authorization server does not keep. It must accept the requests
// of broken clients, because the checks judge its record. A strict client cannot notice any of
// them.
var lenient = []string{
	// It grants every request, of any client, at any redirect URI.
	"authorization-server/registration/plain-http",
	"authorization-server/registration/fragment",
	"authorization-server/authorize/errors",
	"authorization-server/redirect/exact",
	"authorization-server/redirect/loopback",
	"authorization-server/redirect/unknown-client",
	"authorization-server/redirect/silent",
	// It does not compare code verifiers.
	"authorization-server/pkce/required-public",
	"authorization-server/pkce/required-confidential",
	"authorization-server/pkce/downgrade",
	"authorization-server/pkce/verifier",
	"authorization-server/pkce/unknown-method",
	"authorization-server/pkce/plain",
	// It shows no page.
	"authorization-server/consent/asked",
	// It takes codes, tokens and secrets from any client.
	"authorization-server/code/client",
	"authorization-server/client/authenticated",
	"authorization-server/client/challenge",
	"authorization-server/refresh/secret",
	"authorization-server/token/other-grants",
	"authorization-server/refresh/client",
	"authorization-server/refresh/replay",
	"authorization-server/revocation/client",
	// It does not verify the assertions of clients.
	"authorization-server/assertion/required",
	"authorization-server/assertion/client",
	"authorization-server/assertion/audience",
	"authorization-server/assertion/expiry",
	"authorization-server/assertion/signature",
	"authorization-server/assertion/algorithm",
	"authorization-server/assertion/header-key",
}

// TestIssuerOfLabKeepsRules holds the lab's authorization server to the rules of authorization
// servers. A client can be as strict as they allow.
func TestIssuerOfLabKeepsRules(t *testing.T) {
	t.Parallel()
	openID := []string{"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"}
	for name, script := range map[string]lab.Script{
		"2025-03-26":          {Revision: check.R20250326},
		"2025-11-25":          {Revision: check.R20251125, Refresh: true},
		"2026-07-28":          {Revision: check.R20260728, Refresh: true},
		"OpenID Connect":      {IssuerAt: openID},
		"path":                {IssuerPath: "/tenant1"},
		"client_secret_basic": {AuthMethod: "client_secret_basic", Refresh: true},
		"client_secret_post":  {AuthMethod: "client_secret_post", Refresh: true},
		"private_key_jwt":     {AuthMethod: "private_key_jwt"},
		"device codes":        {Device: func(int) string { return "authorization_pending" }},
	} {
		passed := 0
		for _, result := range tryIssuer(t, script).Results {
			switch {
			case result.Verdict == check.Pass:
				passed++
			case result.Verdict > check.Pass:
				assert.Contains(t, lenient, result.Rule.ID, "%s: %v", name, result.Err)
			}
		}
		assert.GreaterOrEqual(t, passed, 30, name)
	}
}

// tryIssuer tries the rules that an authorization server must keep.
func tryIssuer(t *testing.T, script lab.Script) *check.Report {
	t.Helper()
	l := lab.New(script)
	defer l.Close()
	target := issuers.Target{
		URL:         l.IssuerID(l.Authority()),
		FirstAnswer: 30 * time.Second, // for busy machines
		Person:      issuers.ScriptedPerson(nil),
		Resource:    l.URL(),
		Scopes:      []string{"tools.list", "tools.call"},
	}
	if script.Revision != "" {
		target.Revisions = []check.Revision{script.Revision}
	}
	must := check.Selection{Levels: []check.Level{check.Must}, Parallel: 4}
	report, err := issuers.Run(t.Context(), target, must)
	require.NoError(t, err)
	return report
}
