package aadsts

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReadRefusesWrongEntries(t *testing.T) {
	t.Parallel()
	const good = "- code: 1\n  text: a\n  means: b\n  why: c\n  shows: token\n" +
		"  fixes:\n    - {place: client, where: d, text: e}\n"
	require.NoError(t, read([]byte(good), map[int]*entry{}))
	const fixes = "fixes:\n    - {place: client, where: d, text: e}"
	for text, want := range map[string]string{
		good + good:                        "code 1: the code appears twice",
		good + "  color: red\n":            "field color not found",
		good + "---\n- code: 2\n":          "want one document",
		"- code: 1\n  text: a\n":           "want code, text, means and why",
		replaced(good, "token", "never"):   `want one of [request sign-in token token-later], got "never"`,
		replaced(good, "client", "moon"):   "place: want one of [client person portal proxy server]",
		replaced(good, "client", "portal"): "want a path from [App registrations",
		replaced(good, "d,", "Users > x,"): "for the place portal alone",
		replaced(good, "where: d,", ""):    "want where and text in each fix",
		replaced(good, ": b", ": '{b}'"):   `in braces, got "b"`,
		replaced(good, fixes, "fixes: []"): "want at least one fix",
		"code: 1\n":                        "cannot construct",
	} {
		require.ErrorContains(t, read([]byte(text), map[int]*entry{}), want, text)
	}
}

func replaced(text, old, with string) string { return strings.Replace(text, old, with, 1) }
