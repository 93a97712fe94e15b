package main

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/testdata/interop/official"
)

// buildForSuite builds the program, the browser and the official suite's driver in one folder. It
// returns the driver.
func buildForSuite(t *testing.T) string {
	t.Helper()
	official.Need(t)
	folder := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", folder+string(filepath.Separator),
		"./client/cmd/mcp-entra-client", "./fakeentra/cmd/fakeentra", "./testdata/interop/official-client")
	build.Dir = "../../.."
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return filepath.Join(folder, "official-client")
}

// unsupported are the scenarios that this program does not pass. The suite scores none of them. The
// program does not return the schemas of tools.
var unsupported = []string{"json-schema-2020-12-preservation"}

// TestInteropOfficialClient: the official suite finds neither failures nor warnings in the
// scenarios that a revision requires, or in the extensions.
func TestInteropOfficialClient(t *testing.T) {
	t.Parallel()
	driver := buildForSuite(t)
	for _, c := range []struct {
		revision       string
		required, auth int
	}{
		{"2025-11-25", 18, 14},
		{"2026-07-28", 32, 25},
	} {
		t.Run(c.revision, func(t *testing.T) {
			t.Parallel()
			required := official.Required(t, c.revision)
			auth := slices.DeleteFunc(
				slices.Clone(required.Client),
				func(name string) bool { return !strings.HasPrefix(name, "auth/") },
			)
			require.Len(t, required.Client, c.required, "the suite's own list")
			require.Len(t, auth, c.auth, "the suite's own list")
			var extensions, others []string
			for _, scenario := range required.NotScored {
				switch {
				case scenario.Role != "client":
				case scenario.Reason == "extension":
					extensions = append(extensions, scenario.Scenario)
				default:
					others = append(others, scenario.Scenario)
				}
			}
			require.Len(t, extensions, 6, "the suite's own list")

			run := official.Suite(t, "client", "--command", driver, "--requirements", c.revision)
			assert.Zero(t, run.Exit)
			against := []string{official.Failure, official.Warning}
			for _, names := range [][]string{required.Client, extensions} {
				assert.Equal(t, names, run.Passed(names, against...), "%s", run.Against(names, against...))
			}
			failing := slices.DeleteFunc(
				others,
				func(name string) bool { return len(run.Passed([]string{name}, against...)) > 0 },
			)
			assert.Equal(t, unsupported, failing, "a scenario of this list must fail")
		})
	}
}

// TestInteropOfficialClientFallbacks: a server of MCP 2025-03-26 has no protected resource
// metadata, and may have no authorization server metadata.
func TestInteropOfficialClientFallbacks(t *testing.T) {
	t.Parallel()
	driver := buildForSuite(t)
	for _, scenario := range []string{
		"auth/2025-03-26-oauth-metadata-backcompat",
		"auth/2025-03-26-oauth-endpoint-fallback",
	} {
		t.Run(scenario, func(t *testing.T) {
			t.Parallel()
			arguments := []string{"--command", driver, "--scenario", scenario, "--spec-version", "2025-03-26"}
			run := official.Suite(t, append([]string{"client"}, arguments...)...)
			assert.Zero(t, run.Exit)
			against := []string{official.Failure, official.Warning}
			names := []string{scenario}
			assert.Len(t, run.Passed(names, against...), 1, "%s\n%s", run.Against(names, against...), run.Output)
		})
	}
}
