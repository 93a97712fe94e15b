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
// broker of a foreignSite. Two of them do not name their metadata in the challenge.
func TestInteropWalkJudgesServers(t *testing.T) {
	t.Parallel()
	foreign.SkipUnlessInterop(t)
	programs := foreign.Build(t, "goservers")
	for _, server := range []struct{ name, line, env, want string }{
		{"typescript-sdk-1.18", "node sdk.mjs", "PACKAGE=sdk-1.18", ""},
		{"typescript-sdk-1.32", "node sdk.mjs", "PACKAGE=sdk-1.32", ""},
		{"typescript-sdk-2", "node sdk2.mjs", "", ""},
		{"mcp-auth", "node mcp-auth.mjs", "", ""},
		{"hono-mcp", "node hono.mjs", "", "challenge-without-metadata"},
		{"fastmcp", "node fastmcp.mjs", "", "challenge-missing"},
		{"go-sdk", programs + "/gosdk", "", ""},
		{"mcp-go", programs + "/mcpgo", "", ""},
	} {
		t.Run(server.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "", fakeentra.Config{})
			w.foreign = &foreignSite{openID: true}
			w.start()
			url := foreign.Start(t, strings.Fields(server.line), "ISSUER="+w.public, server.env)
			report, err := doctor.Walk(t.Context(), doctor.Config{URL: url})
			require.NoError(t, err)
			assert.ElementsMatch(t, strings.Fields(server.want), found(report, doctor.Fault), "%s", w.text(report))
		})
	}
}
