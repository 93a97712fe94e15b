//go:build unix

package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra/useragent"
)

// TestProgramWaitsWithoutBrowser: without a display and a terminal, the program waits until a
// person opens the page by hand.
func TestProgramWaitsWithoutBrowser(t *testing.T) {
	t.Parallel()
	people, stop := forPeople(t)
	t.Cleanup(stop)
	self, err := os.Executable()
	require.NoError(t, err)
	for name, arguments := range map[string][]string{"": nil, "quiet": {"--quiet"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			program := filepath.Join(folder, "mcp-entra-client")
			require.NoError(t, os.Symlink(self, program))
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			run := exec.CommandContext(ctx, program, append(arguments, "--token-store", "memory", people, "list")...)
			run.Env = []string{"PATH=" + folder, "HOME=" + folder}
			var answers strings.Builder
			run.Stdout = &answers
			told, err := run.StderrPipe()
			require.NoError(t, err)
			require.NoError(t, run.Start())
			var said strings.Builder
			for lines := bufio.NewScanner(told); lines.Scan(); {
				said.WriteString(lines.Text() + "\n")
				if strings.Contains(lines.Text(), "--no-browser") {
					break // the last line before it waits
				}
			}
			assert.Contains(t, said.String(), "could not be started")
			assert.Contains(t, said.String(), "--paste")
			_, err = (&useragent.Browser{}).Visit(ctx, pageIn(t, said.String()))
			require.NoError(t, err)
			_, err = io.Copy(io.Discard, told)
			require.NoError(t, err)
			require.NoError(t, run.Wait())
			assert.Contains(t, answers.String(), "get_user_name")
		})
	}
}

// TestProgramWaitsAfterBrowserFails: the person at the terminal opens the page when $BROWSER fails.
func TestProgramWaitsAfterBrowserFails(t *testing.T) {
	t.Parallel()
	people, stop := forPeople(t)
	t.Cleanup(stop)
	terminal := inTerminal(t, "--token-store", "memory", people, "list")
	said := terminal.await("--no-browser")
	assert.Contains(t, said, `the browser "false" ended with status 1`)
	assert.Contains(t, said, "--paste")
	_, err := (&useragent.Browser{}).Visit(t.Context(), pageIn(t, said))
	require.NoError(t, err)
	assert.Zero(t, terminal.status(), terminal.text())
	assert.Contains(t, terminal.text(), "get_user_name")
}
