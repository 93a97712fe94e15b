package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestSplitWordsKeepsQuotes: a path with a blank is one word between quotes, as in the client's
// $BROWSER.
func TestSplitWordsKeepsQuotes(t *testing.T) {
	t.Parallel()
	for line, want := range map[string][]string{
		"":                             nil,
		" \t":                          nil,
		"firefox":                      {"firefox"},
		"'/my bin/fakeentra' visit":    {"/my bin/fakeentra", "visit"},
		`"C:\My Files\fake.exe" visit`: {`C:\My Files\fake.exe`, "visit"},
		"open -a 'It''s' %s":           {"open", "-a", "Its", "%s"},
		"x ''":                         {"x", ""},
	} {
		words, err := splitWords(line)
		require.NoError(t, err, line)
		assert.Equal(t, want, words, line)
	}
	_, err := splitWords("'open")
	assert.ErrorContains(t, err, "quote")
}
