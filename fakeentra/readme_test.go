package fakeentra_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The table of the README names, for each row, tests that exist.
func TestParityTable(t *testing.T) {
	t.Parallel()
	defined := map[string]bool{}
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	require.NoError(t, filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, match := range function.FindAllStringSubmatch(string(text), -1) {
			defined[match[1]] = true
		}
		return err
	}))
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	_, table, found := strings.Cut(string(readme), "## Features and their tests")
	require.True(t, found)
	rows := map[int]bool{}
	for line := range strings.Lines(table) {
		for _, name := range regexp.MustCompile("`((?:Test|Fuzz)\\w+)`").FindAllStringSubmatch(line, -1) {
			assert.True(t, defined[name[1]], "%s is named in the README and does not exist", name[1])
		}
		cells := strings.Split(line, "|")
		if len(cells) != 6 {
			continue
		}
		if n, err := strconv.Atoi(strings.TrimSpace(cells[1])); err == nil {
			assert.False(t, rows[n], n)
			rows[n] = true
			assert.Regexp(t, `[RDCIK]`, cells[3], "row %d has no source", n)
			assert.Regexp(t, `Test`, cells[4], "row %d is held by nothing", n)
		}
	}
	for n := 1; n <= 30; n++ {
		assert.Equal(t, n != 29, rows[n], "row %d", n)
	}
}
