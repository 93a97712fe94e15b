package official

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// suiteTimeout bounds a run of the suite. The suite's own timeout for one scenario is 30 s.
const suiteTimeout = 4 * time.Minute

// Suite runs the suite to its end. The first argument is the mode: client or server.
func Suite(t testing.TB, arguments ...string) *Run {
	t.Helper()
	Need(t)
	results := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), suiteTimeout)
	defer cancel()
	command := Command(ctx, results, arguments...)
	var output bytes.Buffer
	command.Stdout = &output
	command.Stderr = &output
	err := command.Run()
	require.NotNil(t, command.ProcessState, "%v", err)
	require.NoError(t, ctx.Err(), "the suite did not end in time\n%s", output.String())
	return Read(t, arguments[0], results, command.ProcessState.ExitCode(), output.String())
}

// Command returns the command line of the suite, for a test that watches the run. The suite writes
// its results to a folder of the test.
func Command(ctx context.Context, results string, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, node(), append([]string{suite()}, append(arguments, "-o", results)...)...)
	command.Dir = results
	// The programs that the suite starts end with it.
	command.WaitDelay = 5 * time.Second
	return command
}

// Need skips the test outside of "make interop", which installs the suite. Within, it fails the
// test if the suite is missing.
func Need(t testing.TB) {
	t.Helper()
	if os.Getenv("MCPENTRA_INTEROP") == "" {
		t.Skip("needs Node.js packages: make interop installs them and runs this test")
	}
	require.FileExists(t, node(), "run npm ci in testdata/interop/official")
	require.FileExists(t, suite(), "run npm ci in testdata/interop/official")
}

// folder returns the folder of this file, which also holds the suite.
func folder() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(file)
}

func node() string { return filepath.Join(folder(), "node_modules/node/bin/node") }

func suite() string {
	return filepath.Join(folder(), "node_modules/@modelcontextprotocol/conformance/dist/index.js")
}
