package doctor_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/doctor"
	"mcpentra/fakeentra"
	"mcpentra/testdata/interop/foreign"
)

// TestInteropWalkJudgesServers walks through servers of other projects, whose people sign in at the
// broker of a foreignSite. One has no challenge, which is a fault. Another does not name its
// metadata in the challenge, which is a warning.
func TestInteropWalkJudgesServers(t *testing.T) {
	t.Parallel()
	foreign.SkipUnlessInterop(t)
	programs := foreign.Build(t, "goservers")
	for _, server := range []struct{ name, line, env, faults, warning string }{
		{"typescript-sdk-1.18", "node sdk.mjs", "PACKAGE=sdk-1.18", "", ""},
		{"typescript-sdk-1.32", "node sdk.mjs", "PACKAGE=sdk-1.32", "", ""},
		{"typescript-sdk-2", "node sdk2.mjs", "", "", ""},
		{"mcp-auth", "node mcp-auth.mjs", "", "", ""},
		{"hono-mcp", "node hono.mjs", "", "", "challenge-without-metadata"},
		{"fastmcp", "node fastmcp.mjs", "", "challenge-missing", ""},
		{"go-sdk", programs + "/gosdk", "", "", ""},
		{"mcp-go", programs + "/mcpgo", "", "", ""},
	} {
		t.Run(server.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "", fakeentra.Config{})
			w.foreign = &foreignSite{openID: true}
			w.start()
			url := foreign.Start(t, strings.Fields(server.line), "ISSUER="+w.public, server.env)
			report, err := doctor.Walk(t.Context(), doctor.Config{URL: url})
			require.NoError(t, err)
			assert.ElementsMatch(t, strings.Fields(server.faults), found(report, doctor.Fault), "%s", w.text(report))
			if server.warning != "" {
				assert.Contains(t, found(report, doctor.Warning), server.warning)
			}
		})
	}
}
