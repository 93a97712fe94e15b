package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestSplitWordsKeepsQuotes splits command lines of $BROWSER. A quoted path with a space is one
// word.
func TestSplitWordsKeepsQuotes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		line string
		want []string
	}{
		{"", nil},
		{" \t", nil},
		{"firefox", []string{"firefox"}},
		{"'/my bin/fakeentra' visit", []string{"/my bin/fakeentra", "visit"}},
		{`"C:\My Files\fake.exe" visit`, []string{`C:\My Files\fake.exe`, "visit"}},
		{"open -a 'It''s' %s", []string{"open", "-a", "Its", "%s"}},
		{"x ''", []string{"x", ""}},
	} {
		words, err := splitWords(test.line)
		require.NoError(t, err, test.line)
		assert.Equal(t, test.want, words, test.line)
	}
	_, err := splitWords("'open")
	assert.ErrorContains(t, err, "quote")
}
