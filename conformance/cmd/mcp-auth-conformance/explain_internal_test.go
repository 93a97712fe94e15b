package main

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/catalogue"
)

// TestExplainFitsTerminal explains everything. No line is wider than the text, and no section is
// longer than a screen.
func TestExplainFitsTerminal(t *testing.T) {
	t.Parallel()
	explainer := newExplainer(catalogue.SDKs())
	for _, id := range explainer.knownIDs() {
		var out bytes.Buffer
		require.NoError(t, explainer.explain(&out, id), id)
		for line := range strings.Lines(out.String()) {
			line = strings.TrimSuffix(line, "\n")
			isOneWord := !strings.Contains(strings.TrimSpace(line), " ")
			fits := utf8.RuneCountInString(line) <= lineWidth || isOneWord
			assert.True(t, fits, "%s: %q is too wide", id, line)
			assert.NotRegexp(t, `\s$`, line, id)
		}
		if strings.Count(id, "/") == 2 {
			for section := range strings.SplitSeq(out.String(), "\n\n") {
				assert.Less(t, strings.Count(section, "\n"), 40, id)
			}
		}
	}
}

func TestExplainSuggestsNearestIDs(t *testing.T) {
	t.Parallel()
	explainer := newExplainer(catalogue.SDKs())
	for _, test := range []struct{ id, want string }{
		{"server/token/expird", "did you mean server/token/expired or"},
		{"server/tokn", "did you mean server/token?"},
		{"expired", "did you mean server/token/expired?"},
		{"rs-12", "did you mean RS-012 or RS-102?"},
		{"CVE-2025-414", "did you mean CVE-2025-4143 or CVE-2025-4144"},
		{"something else entirely", `no check, topic, requirement, attack or advisory "something else entirely"; list`},
		{"", `no check, topic, requirement, attack or advisory ""; list`},
		{strings.Repeat("a/", 5000), "; list, list --catalogue"},
		{"serv", "; list, list --catalogue"},
		{"server/tok", "did you mean server/task or server/token?"},
	} {
		var out bytes.Buffer
		assert.ErrorContains(t, explainer.explain(&out, test.id), test.want)
		assert.Empty(t, out.String())
	}
}

func TestEditsBetween(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		from, to string
		want     int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0},
		{"abc", "abd", 1}, {"abc", "ac", 1}, {"abc", "xabc", 1}, {"kitten", "sitting", 3},
	} {
		assert.Equal(t, test.want, editsBetween(test.from, test.to), "%q to %q", test.from, test.to)
	}
}

func TestReadSDKs(t *testing.T) {
	t.Parallel()
	all, err := readSDKs(nil)
	require.NoError(t, err)
	assert.Equal(t, catalogue.SDKs(), all)
	both, err := readSDKs([]string{"Go"})
	require.NoError(t, err)
	assert.Equal(t, []catalogue.SDK{catalogue.MCPGo, catalogue.GoSDK}, both)
	_, err = readSDKs([]string{"fastmcp", "rust"})
	assert.EqualError(t, err, `--sdk: want typescript, fastmcp, mcp-go, go-sdk or go, got "rust"`)
}

func TestWrap(t *testing.T) {
	t.Parallel()
	assert.Equal(t, []string{"one two", "three"}, wrap("one  two\nthree", 7))
	assert.Equal(t, []string{"é é é", "é"}, wrap("é é é é", 5))
	assert.Equal(t, []string{"a", "longword", "b"}, wrap("a longword b", 3))
	assert.Empty(t, wrap(" ", 3))
}
