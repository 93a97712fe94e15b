package fakeentra_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra/internal/graph"
)

// graphRow returns the row of the README for a route: the least permissions of people and of apps.
func graphRow(route graph.Route) string {
	code := func(names []string) string {
		if len(names) == 0 {
			return "–"
		}
		return "`" + names[0] + "`"
	}
	least := route.Delegated
	if isMe := strings.HasPrefix(route.Path, "/v1.0/me"); len(route.Own) > 0 && (isMe || len(route.Delegated) == 0) {
		least = route.Own
	}
	return "| `" + route.Method + " " + route.Path + "` | " + code(least) + " | " + code(route.Application) + " |"
}

// The README lists each path of Graph and no other.
func TestREADMEListsGraph(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(text), "## Microsoft Graph\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	var rows, want []string
	for line := range strings.Lines(section) {
		if strings.HasPrefix(line, "| `") {
			rows = append(rows, strings.TrimSpace(line))
		}
	}
	for _, route := range graph.Routes() {
		want = append(want, graphRow(route))
	}
	assert.Equal(t, strings.Join(want, "\n"), strings.Join(rows, "\n"))
}
