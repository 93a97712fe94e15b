package envfile_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/doctor"
	"mcpentra/conformance/doctor/envfile"
)

// TestReportsOfStrangeFilesAreBounded wants short reports of files with other contents.
func TestReportsOfStrangeFilesAreBounded(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"words":    strings.Repeat("no settings\n", 50_000),
		"names":    strings.Repeat("AUTH_COLOURS=x\n", 50_000),
		"repeated": strings.Repeat("AUTH_TENANT_ID=common\n", 40_000),
		"bytes":    strings.Repeat("\x80\n", 400_000),
		"quotes":   "AUTH_CLIENT_SECRET=" + strings.Repeat(`'\''`, 100_000),
		"huge":     strings.Repeat("#", 2<<20),
		"one name": "AUTH_" + strings.Repeat("A", 1<<19) + "=x",
	} {
		file := filepath.Join(t.TempDir(), ".env")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		report, err := envfile.Examine(t.Context(), envfile.Config{File: file})
		require.NoError(t, err)
		assert.NotZero(t, report.Count(doctor.Fault), name)
		assert.Less(t, len(findings(report)), 100, name)
		text, err := json.Marshal(report)
		require.NoError(t, err)
		assert.Less(t, len(text), 50_000, name)
	}
}
