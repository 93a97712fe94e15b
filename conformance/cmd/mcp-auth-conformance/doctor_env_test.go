package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/doctor"
	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

// TestDoctorExaminesSettings runs doctor --env with a good file, a wrong one, and none.
func TestDoctorExaminesSettings(t *testing.T) {
	t.Parallel()
	fake := fakeentra.NewServer(fakeentra.Config{})
	t.Cleanup(fake.Close)
	file := filepath.Join(t.TempDir(), ".env")
	run := func(secret string, arguments ...string) (string, error) {
		text := "AUTH_TENANT_ID=" + directory.DefaultTenantID + "\nAUTH_CLIENT_ID=" + directory.DefaultClientID +
			"\nAUTH_CLIENT_SECRET=" + secret + "\nAUTH_AUTHORITY=" + fake.URL + "\n"
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		var out bytes.Buffer
		command := newCommand()
		command.SetOut(&out)
		command.SetArgs(append([]string{"doctor", "--env", file}, arguments...))
		err := command.ExecuteContext(t.Context())
		assert.NotContains(t, out.String(), secret)
		return out.String(), err
	}
	out, err := run(directory.DefaultClientSecret)
	require.NoError(t, err)
	assert.Contains(t, out, "Entra accepts the credential")

	out, err = run("a-wrong-secret-of-the-app", "--format", "json")
	assert.Equal(t, exitFailed, status(err))
	var report doctor.Report
	require.NoError(t, json.Unmarshal([]byte(out), &report))
	assert.Equal(t, 1, report.Count(doctor.Fault))
	wantDoctorSchema(t, out)
	assert.Contains(t, out, "AADSTS7000215")

	_, err = run("x-x-x-x-x", "http://localhost:8000/mcp")
	require.ErrorContains(t, err, "--env takes the place of a URL")
	assert.Equal(t, exitUsage, status(err))
	file = filepath.Join(filepath.Dir(file), "settings")
	_, err = run(directory.DefaultClientSecret, "--format", "xml")
	require.ErrorContains(t, err, `--format: want text or json, got "xml"`)

	command := newCommand()
	command.SetArgs([]string{"doctor", "--env", file + ".missing"})
	err = command.ExecuteContext(t.Context())
	require.ErrorContains(t, err, "--env: the settings file")
	assert.Equal(t, exitUsage, status(err))
}
