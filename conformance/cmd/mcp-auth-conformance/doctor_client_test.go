package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/doctor"
)

// TestDoctorExaminesThisMachine examines the machine that runs the tests, which may have faults.
func TestDoctorExaminesThisMachine(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(server.Close)
	var out bytes.Buffer
	command := newCommand()
	command.SetOut(&out)
	command.SetArgs([]string{"doctor", "--client", server.URL + "/mcp", "--format", "json"})
	err := command.ExecuteContext(t.Context())
	var report doctor.Report
	require.NoError(t, json.Unmarshal(out.Bytes(), &report))
	assert.Equal(t, report.ExitStatus(), status(err))
	wantDoctorSchema(t, out.String())
	var names []string
	for _, step := range report.Steps {
		names = append(names, step.Name)
	}
	assert.Subset(t, names, []string{"client-settings", "client-browser", "client-callback", "client-keychain",
		"client-tokens", "client-proxy", "client-clock", "reach"})
}

func TestDoctorWithoutURLIsRefused(t *testing.T) {
	t.Parallel()
	command := newCommand()
	command.SetArgs([]string{"doctor"})
	err := command.ExecuteContext(t.Context())
	require.ErrorContains(t, err, "the URL of one MCP endpoint")
	assert.Equal(t, exitUsage, status(err))
}
