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

// buildForSuite builds the program, the browser and the driver that the official suite runs, in one
// folder, and returns the driver.
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

// beyondUs are the scenarios that this program does not pass, none of them scored. It shows no
// schemas of tools, so it cannot be asked to give one back.
var beyondUs = []string{"json-schema-2020-12-preservation"}

// The official suite has nothing against the program: neither a failure nor a warning, in what a
// revision requires and in the extensions.
func TestInteropOfficialClient(t *testing.T) {
	t.Parallel()
	driver := buildForSuite(t)
	for revision, sizes := range map[string]struct{ required, auth int }{"2025-11-25": {18, 14}, "2026-07-28": {32, 25}} {
		t.Run(revision, func(t *testing.T) {
			t.Parallel()
			required := official.Required(t, revision)
			auth := slices.DeleteFunc(
				slices.Clone(required.Client),
				func(name string) bool { return !strings.HasPrefix(name, "auth/") },
			)
			require.Len(t, required.Client, sizes.required, "the suite's own list")
			require.Len(t, auth, sizes.auth, "the suite's own list")
			var extensions, others []string
			for _, one := range required.NotScored {
				switch {
				case one.Role != "client":
				case one.Reason == "extension":
					extensions = append(extensions, one.Scenario)
				default:
					others = append(others, one.Scenario)
				}
			}
			require.Len(t, extensions, 6, "the suite's own list")

			run := official.Suite(t, "client", "--command", driver, "--requirements", revision)
			assert.Zero(t, run.Exit)
			against := []string{official.Failure, official.Warning}
			assert.Equal(
				t,
				required.Client,
				run.Passed(required.Client, against...),
				"%s",
				run.Against(required.Client, against...),
			)
			assert.Equal(t, extensions, run.Passed(extensions, against...), "%s", run.Against(extensions, against...))
			failing := slices.DeleteFunc(
				others,
				func(name string) bool { return len(run.Passed([]string{name}, against...)) > 0 },
			)
			assert.Equal(t, beyondUs, failing, "what is said not to pass is true")
		})
	}
}

// Servers of 2025-03-26 have no metadata of the resource, and need none of the authorization
// server.
func TestInteropOfficialClientFallbacks(t *testing.T) {
	t.Parallel()
	driver := buildForSuite(t)
	for _, scenario := range []string{"auth/2025-03-26-oauth-metadata-backcompat", "auth/2025-03-26-oauth-endpoint-fallback"} {
		t.Run(scenario, func(t *testing.T) {
			t.Parallel()
			run := official.Suite(
				t,
				"client",
				"--command",
				driver,
				"--scenario",
				scenario,
				"--spec-version",
				"2025-03-26",
			)
			assert.Zero(t, run.Exit)
			against := []string{official.Failure, official.Warning}
			assert.Len(
				t,
				run.Passed([]string{scenario}, against...),
				1,
				"%s\n%s",
				run.Against([]string{scenario}, against...),
				run.Output,
			)
		})
	}
}
