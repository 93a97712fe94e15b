package pipeline_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"mcpentra/conformance/internal/pipeline"
)

const root = "../../.."

// programs is the folder of the four programs.
var programs string

func TestMain(m *testing.M) {
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	programs = os.Getenv("MCPENTRA_PROGRAMS") // make test has built them
	if programs != "" {
		return m.Run()
	}
	folder, err := os.MkdirTemp("", "mcpentra-programs-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	defer os.RemoveAll(folder)
	build := exec.Command("go", "build", "-o", folder+string(filepath.Separator),
		"mcpentra/server/cmd/mcp-entra-server", "mcpentra/client/cmd/mcp-entra-client",
		"mcpentra/fakeentra/cmd/fakeentra", "mcpentra/conformance/cmd/mcp-auth-conformance")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the programs: %v\n%s", err, out)
		return 2
	}
	programs = folder
	return m.Run()
}

// workplace is a machine with the programs on its path, and nothing of the caller's environment. It
// keeps the caches of Go.
func workplace(t *testing.T) pipeline.Workplace {
	t.Helper()
	at := pipeline.Workplace{Workspace: t.TempDir(), Temp: t.TempDir()}
	at.Env = []string{
		"PATH=" + programs + string(filepath.ListSeparator) + os.Getenv("PATH"),
		"HOME=" + t.TempDir(),
	}
	caches, err := goCaches()
	require.NoError(t, err)
	at.Env = append(at.Env, caches...)
	return at
}

// goCaches returns the variables of Go that have nothing to do with HOME, NAME=VALUE.
var goCaches = sync.OnceValues(func() ([]string, error) {
	names := []string{"GOCACHE", "GOMODCACHE", "GOPROXY", "GOFLAGS"}
	output, err := exec.Command("go", append([]string{"env"}, names...)...).Output()
	values := strings.Split(string(output), "\n")
	for i, name := range names {
		names[i] = name + "=" + values[min(i, len(values)-1)]
	}
	return names, err
})

func write(t *testing.T, file, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(text)
}
