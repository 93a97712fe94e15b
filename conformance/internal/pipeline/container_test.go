package pipeline_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestContainerFiles compares the files that a container copies with those that its build needs.
// The pipeline builds with the same command.
func TestContainerFiles(t *testing.T) {
	t.Parallel()
	top, err := filepath.Abs(root)
	require.NoError(t, err)
	for _, part := range []string{"fakeentra", "conformance"} {
		file := read(t, filepath.Join(root, part, "Containerfile"))
		stages := regexp.MustCompile(`(?m)^FROM `).Split(file, -1)
		require.Len(t, stages, 3, "%s: the compiler stays out of the image", part)
		var copied []string
		for _, line := range regexp.MustCompile(`(?m)^COPY (.*) \S+$`).FindAllStringSubmatch(stages[1], -1) {
			copied = append(copied, strings.Fields(line[1])...)
		}
		build := regexp.MustCompile(`(?m)^RUN (CGO_ENABLED=0 go build .* (\./\S+))$`).FindStringSubmatch(stages[1])
		require.NotNil(t, build, part)
		assert.Contains(t, read(t, root+"/.ci/run"), "\n"+build[1]+"\n")
		for _, needed := range sourcesOf(t, top, build[2]) {
			assert.True(t, slices.ContainsFunc(copied, func(path string) bool {
				return needed == path || strings.HasPrefix(needed, path+"/")
			}), "%s/Containerfile does not copy %s", part, needed)
		}
		for _, path := range copied {
			_, err := os.Stat(filepath.Join(top, path))
			assert.NoError(t, err, "%s/Containerfile copies it", part)
		}
	}
}

// TestContainerStartsProgram reads the last stage of the container file.
func TestContainerStartsProgram(t *testing.T) {
	t.Parallel()
	file := read(t, root+"/conformance/Containerfile")
	assert.Regexp(t, `(?m)^COPY --from=build /src/bin/container/mcp-auth-conformance /mcp-auth-conformance$`, file)
	assert.Regexp(t, `(?m)^ENTRYPOINT \["/mcp-auth-conformance"\]$`, file)
	assert.Regexp(t, `(?m)^USER nonroot`, file)
	arguments := regexp.MustCompile(`(?m)^CMD \["(.*)"\]$`).FindStringSubmatch(file)
	require.NotNil(t, arguments)
	run := exec.CommandContext(t.Context(), filepath.Join(programs, "mcp-auth-conformance"), arguments[1])
	output, err := run.CombinedOutput()
	assert.NoError(t, err, "%s", output)
}

// sourcesOf returns the files of this module that a package is built from, and go.mod and go.sum.
func sourcesOf(t *testing.T, top, path string) []string {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=Dir,GoFiles,EmbedFiles,Module", path)
	list.Dir = top
	list.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	output, err := list.Output()
	require.NoError(t, err)
	found := []string{"go.mod", "go.sum"}
	decoder := json.NewDecoder(strings.NewReader(string(output)))
	for {
		var one struct {
			Dir        string
			GoFiles    []string
			EmbedFiles []string
			Module     *struct{ Main bool }
		}
		err := decoder.Decode(&one)
		if errors.Is(err, io.EOF) {
			return found
		}
		require.NoError(t, err)
		if one.Module == nil || !one.Module.Main {
			continue
		}
		folder, err := filepath.Rel(top, one.Dir)
		require.NoError(t, err)
		for _, name := range append(one.GoFiles, one.EmbedFiles...) {
			found = append(found, filepath.ToSlash(filepath.Join(folder, name)))
		}
	}
}
