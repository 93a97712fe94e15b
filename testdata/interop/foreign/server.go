package foreign

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// folder is the folder of this package, where the servers in JavaScript are.
func folder() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(file)
}

// SkipUnlessInterop skips a test unless make interop runs it.
func SkipUnlessInterop(t *testing.T) {
	t.Helper()
	if os.Getenv("MCPENTRA_INTEROP") == "" {
		t.Skip("make interop sets MCPENTRA_INTEROP")
	}
}

// Build builds the programs of a Go module beside this package, and returns their folder.
func Build(t testing.TB, module string) string {
	t.Helper()
	programs := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", programs, "./...")
	build.Dir = filepath.Join(folder(), "..", module)
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return programs
}

// Start starts a server with environment variables, and returns the URL that it prints. The end of
// the test ends it.
func Start(t testing.TB, line []string, env ...string) string {
	t.Helper()
	run := exec.CommandContext(t.Context(), line[0], line[1:]...)
	run.Dir = folder()
	run.Env = append(os.Environ(), env...)
	run.Stderr = t.Output()
	out, err := run.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, run.Start())
	t.Cleanup(func() { _ = run.Wait() })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, url, found := strings.Cut(lines.Text(), "listening on "); found {
			go func() {
				for lines.Scan() {
				}
			}()
			return url
		}
	}
	t.Fatalf("%s ended without a URL", line)
	return ""
}
