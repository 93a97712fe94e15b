package report_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/report"
)

// TestInteropReportsAreValid holds reports with hostile text to the schemas and tools of other
// projects: ajv, libxml2 with Jenkins' schema, and the SARIF validator with the rules of GitHub. It
// also shows that each of them refuses a report that is not valid.
func TestInteropReportsAreValid(t *testing.T) {
	t.Parallel()
	const validator = "../../testdata/interop/reports"
	if os.Getenv("MCPENTRA_INTEROP") == "" {
		t.Skip("make interop runs this test; it needs Node.js packages")
	}
	if runtime.GOOS != "linux" {
		t.Skip("the SARIF schema comes with the validator for Linux")
	}
	schema := filepath.Join(t.TempDir(), "schema.json")
	require.NoError(t, os.WriteFile(schema, report.Schema(), 0o600))
	validate := func(edit func(name string, text []byte) []byte) (string, error) {
		folder := t.TempDir()
		for _, format := range report.Formats() {
			var text bytes.Buffer
			require.NoError(t, format.Write(&text, everyVerdict()))
			file := filepath.Join(folder, format.Name)
			require.NoError(t, os.WriteFile(file, edit(format.Name, text.Bytes()), 0o600))
		}
		out, err := exec.CommandContext(t.Context(), "node", validator+"/validate.mjs", folder, schema).CombinedOutput()
		return string(out), err
	}
	out, err := validate(func(_ string, text []byte) []byte { return text })
	require.NoError(t, err, out)
	assert.Equal(t, "json valid\njunit valid\nsarif valid\nmultitool valid\n", out)
	out, err = validate(func(name string, text []byte) []byte {
		switch name {
		case "json":
			return bytes.Replace(text, []byte(`"version": 1`), []byte(`"version": 2`), 1)
		case "junit":
			return bytes.Replace(text, []byte("<testcase name="), []byte("<testcase title="), 1)
		case "sarif":
			text = bytes.ReplaceAll(text, []byte(`"locations": [`), []byte(`"relatedLocations": [`)) // for GitHub
			return bytes.Replace(text, []byte(`"columnKind"`), []byte(`"columnSort"`), 1)
		}
		return text
	})
	require.Error(t, err)
	assert.NotContains(t, out, " valid\n")
}
