package pipeline_test

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rhysd/actionlint"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"

	"mcpentra/conformance/internal/pipeline"
)

// mostLines is how many lines a user of CI has to write.
const mostLines = 10

// blocks returns the code blocks of the README in a language.
func blocks(t *testing.T, language string) []string {
	t.Helper()
	pattern := regexp.MustCompile("(?ms)^```" + language + "\n(.*?)^```$")
	var found []string
	for _, block := range pattern.FindAllStringSubmatch(read(t, root+"/conformance/README.md"), -1) {
		found = append(found, block[1])
	}
	require.NotEmpty(t, found)
	return found
}

// blockWith returns the YAML block of the README that has a member.
func blockWith(t *testing.T, member string) string {
	t.Helper()
	for _, block := range blocks(t, "yaml") {
		var document map[string]any
		require.NoError(t, yaml.Load([]byte(block), &document), block)
		assert.LessOrEqual(t, strings.Count(block, "\n"), mostLines, block)
		if _, ok := document[member]; ok {
			return block
		}
	}
	require.Fail(t, "no block has it", member)
	return ""
}

// lint reads a workflow as GitHub does, with the action of this repository.
func lint(t *testing.T, workflow string) []*actionlint.Error {
	t.Helper()
	folder := t.TempDir()
	copied := filepath.Join(folder, ".github/actions/mcp-auth-conformance/action.yml")
	write(t, copied, read(t, actionFolder+"/action.yml"))
	project, err := actionlint.NewProject(folder)
	require.NoError(t, err)
	options := &actionlint.LinterOptions{WorkingDir: folder, Color: actionlint.ColorOptionKindNever}
	linter, err := actionlint.NewLinter(io.Discard, options)
	require.NoError(t, err)
	found, err := linter.Lint(filepath.Join(folder, ".github/workflows/readme.yml"), []byte(workflow), project)
	require.NoError(t, err)
	return found
}

func TestREADMEShowsWorkflowOfGitHub(t *testing.T) {
	t.Parallel()
	block := blockWith(t, "jobs")
	here := regexp.MustCompile(`[a-z-]+/mcpentra/(\.github/actions/[a-z-]+)@v\d+\.\d+\.\d+`)
	require.Regexp(t, here, block)
	workflow := "on: push\n" + here.ReplaceAllString(block, "./$1")
	assert.Empty(t, lint(t, workflow))
	assert.NotEmpty(t, lint(t, strings.Replace(workflow, "server-url:", "server:", 1)), "an unknown input")
	assert.NotEmpty(t, lint(t, strings.Replace(workflow, "runs-on:", "runs:", 1)), "an unknown key of a job")
}

func TestREADMEShowsJobOfGitLab(t *testing.T) {
	t.Parallel()
	block := []byte(blockWith(t, "include"))
	job, err := pipeline.ReadJob(block, root, "mcp-auth")
	require.NoError(t, err)
	template, err := pipeline.ReadJob(block, root, ".mcp-auth-conformance")
	require.NoError(t, err)
	for name := range job.Variables {
		assert.Contains(t, template.Variables, name, "the template does not know it")
	}
	assert.NotEmpty(t, job.Script)
	_, err = pipeline.ReadJob([]byte(string(block)+"  scripts: []\n"), root, "mcp-auth")
	assert.Error(t, err, "an unknown key of a job")
}

// Workflows of this repository are read by the same linter.
func TestWorkflows(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(root + "/.github/workflows/*.yml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		assert.Empty(t, lint(t, read(t, file)), file)
	}
}

// TestShellCode has ShellCheck read the scripts of the action, the script of the template, and the
// commands of the README.
func TestShellCode(t *testing.T) {
	t.Parallel()
	for _, block := range blocks(t, "sh") {
		check := exec.CommandContext(t.Context(), "bash", "-n")
		check.Stdin = strings.NewReader(block)
		output, err := check.CombinedOutput()
		assert.NoError(t, err, "%s\n%s", output, block)
	}
	if _, err := exec.LookPath("shellcheck"); err != nil {
		require.Empty(t, os.Getenv("CI"), "CI needs shellcheck")
		t.Skip("shellcheck is not installed")
	}
	scripts, err := filepath.Glob(actionFolder + "/*.sh")
	require.NoError(t, err)
	job, err := pipeline.ReadJob([]byte(blockWith(t, "include")), root, "mcp-auth")
	require.NoError(t, err)
	template := filepath.Join(t.TempDir(), "template.sh")
	write(t, template, "#!/bin/sh\n"+strings.Join(job.Script, "\n"))
	for _, script := range append(scripts, template) {
		arguments := []string{"-x", script}
		if script == template {
			// The fake writes .env, a trap calls stop, and the inner shell expands variables.
			arguments = []string{"--exclude=SC1091,SC2317,SC2016", script}
		}
		output, err := exec.CommandContext(t.Context(), "shellcheck", arguments...).CombinedOutput()
		assert.NoError(t, err, "%s", output)
	}
}
