package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/doctor/aadsts"
)

// runAADSTS runs the command with one argument and a standard input.
func runAADSTS(t *testing.T, argument, input string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	command := newCommand()
	command.SetOut(&out)
	command.SetIn(strings.NewReader(input))
	command.SetArgs([]string{"aadsts", argument})
	err := command.ExecuteContext(t.Context())
	return out.String(), err
}

// TestErrorIsExplained snapshots the explanation of a code, and of pasted texts.
func TestErrorIsExplained(t *testing.T) {
	t.Parallel()
	const app = "11111111-1111-1111-1111-111111111111"
	for name, text := range map[string]string{
		"code": "9010010",
		"json": `{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided. ` +
			`Ensure the ` +
			`secret being sent in the request is the client secret value, not the client secret ID, for a ` +
			`secret added ` +
			`to app '` + app + `'. Trace ID: 0f0e0d0c-0000-4000-8000-000000000001 Correlation ID: ` +
			`0f0e0d0c-0000-4000-8000-000000000002 Timestamp: 2026-11-22 18:00:00Z","error_codes":[7000215],` +
			`"error_uri":"https://login.microsoftonline.com/error?code=7000215"}`,
		"callback": "http://localhost:8000/auth/callback?error=invalid_target&error_description=AADSTS9010010%3a+The+" +
			"resource+parameter&state=x resource=https://mcp.example.com/mcp",
		"page": "<p>AADSTS50011: The redirect URI &#39;https://mcp.example.com/auth/callback&#39; specified in the " +
			"request does not match the redirect URIs configured for the application &#39;" + app + "&#39;.</p>",
		"challenge": `{"error":"invalid_grant","error_codes":[53003],"suberror":"message_only","claims":` +
			`"{\"access_token\":{\"capolids\":{\"essential\":true,\"values\":` +
			`[\"5a1e0007-0000-4000-8000-000000000001\"]}}}"}`,
		"several": "AADSTS65001, then AADSTS90009",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := runAADSTS(t, "-", text)
			require.NoError(t, err)
			matchSnapshot(t, "aadsts-"+name, out)
			fromArgument, err := runAADSTS(t, text, "")
			require.NoError(t, err)
			assert.Equal(t, out, fromArgument)
		})
	}
}

// TestErrorIsUnknown snapshots the answers to codes and texts without an explanation.
func TestErrorIsUnknown(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"unknown": `{"error":"invalid_grant","error_description":"AADSTS7002199: Hm. Trace ID: ` +
			`0f0e0d0c-0000-4000-8000-000000000001"}`,
		"none": "connection refused",
	} {
		out, err := runAADSTS(t, text, "")
		require.ErrorIs(t, err, errFailed, name)
		assert.Equal(t, exitFailed, status(err))
		matchSnapshot(t, "aadsts-"+name, out)
	}
	out, err := runAADSTS(t, "AADSTS50011 AADSTS7002199", "")
	require.ErrorIs(t, err, errFailed, "one of them is not explained")
	assert.Contains(t, out, "This code is not known here.")
	assert.Contains(t, out, "redirect URI")
}

func TestErrorNeedsText(t *testing.T) {
	t.Parallel()
	for _, input := range []string{"", " \n"} {
		_, err := runAADSTS(t, "-", input)
		require.ErrorContains(t, err, "got an empty one")
		assert.Equal(t, exitUsage, status(err))
	}
	out, err := runAADSTS(t, "-", "AADSTS50011 "+strings.Repeat("a", aadsts.MostBytes))
	require.NoError(t, err)
	assert.Contains(t, out, "The rest was not read.")
}
