package clients_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients"
)

// officialBroken has the deliberately broken clients of the official suite, with the check that
// finds each. The suite's package does not contain them, so client.mjs has the same faults. The
// suite names them auth-test-NAME.
var officialBroken = map[string]string{
	"no-pkce":                 "client/pkce/verifier",
	"no-cimd":                 "client/registration/document",
	"scope-broken":            "client/scope/challenge",
	"scopes-supported-broken": "client/scope/metadata",
	"scope-stepup-broken":     "client/step-up/attempted",
}

// officialSkipped has the other ones, and why no check finds them.
var officialSkipped = map[string]string{
	"strip-query":        "no lab has an endpoint with a query",
	"dpop-*":             "no check covers DPoP",
	"wif-*":              "no check covers workload identity federation",
	"ema-broken-clients": "they send single requests of one scenario of the suite",
	"events and tasks":   "they are not about authorization",
}

// TestInteropOfficialBrokenClients finds each broken client with one check. The same client without
// the fault passes it.
func TestInteropOfficialBrokenClients(t *testing.T) {
	if os.Getenv("MCPENTRA_INTEROP") == "" {
		t.Skip("needs Node.js packages: make interop installs them and runs this test")
	}
	script, err := filepath.Abs("../../testdata/interop/official-broken-clients/client.mjs")
	require.NoError(t, err)
	for name, id := range officialBroken {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for fault, want := range map[string]bool{"none": true, name: false} {
				report := tryOfficial(t, script, fault, id)
				for _, result := range report.Results {
					assert.Equal(t, want, result.Verdict == check.Pass, "%s: %v", result.Name(), result.Err)
				}
			}
		})
	}
	for name, reason := range officialSkipped {
		t.Run(name, func(t *testing.T) { t.Skip(reason) })
	}
	_, err = clients.Run(t.Context(), official(script, "inert"), check.Selection{})
	assert.ErrorContains(t, err, "the client sends none")
}

func tryOfficial(t *testing.T, script, fault, id string) *check.Report {
	t.Helper()
	report, err := clients.Run(t.Context(), official(script, fault), check.Selection{IDs: []string{id}})
	require.NoError(t, err)
	require.NotEmpty(t, report.Results)
	return report
}

// official is the client of the official SDK with a fault.
func official(script, fault string) clients.Target {
	return clients.Target{
		Name:      fault,
		Run:       clients.Command([]string{"node", script, fault, "{url}"}, []string{"false"}),
		Abilities: []clients.Ability{clients.ClientDocument},
		Revisions: []check.Revision{check.R20251125},
		Timeout:   30 * time.Second,
	}
}
