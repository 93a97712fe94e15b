package main

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http/httpproxy"

	"mcpentra/conformance/doctor"
	"mcpentra/conformance/internal/schematest"
	"mcpentra/conformance/loopback/loopbacktest"
)

// TestDoctorExitsWithTheStatusOfTheReport walks to a server with faults, to a closed port, and to
// an address of another scheme.
func TestDoctorExitsWithTheStatusOfTheReport(t *testing.T) {
	t.Parallel()
	closed := "http://127.0.0.1:" + loopbacktest.Port(t) + "/mcp"
	for address, want := range map[string]int{startUnauthorized(t): 1, closed: 2, "ftp://localhost/mcp": 2} {
		out, err := run(t, "doctor", address, "--no-registration", "--format", "json")
		assert.Equal(t, want, status(err), "%s: %v", address, err)
		var examined errExamined
		require.True(t, errors.As(err, &examined), address)
		var report doctor.Report
		require.NoError(t, json.Unmarshal([]byte(out), &report), out)
		assert.Equal(t, want, report.ExitStatus())
		wantDoctorSchema(t, out)
		assert.Equal(t, want == 1, report.Answers)
	}
	_, err := run(t, "doctor", closed, "--format", "yaml")
	assert.ErrorContains(t, err, `--format: want text or json, got "yaml"`)
}

// wantDoctorSchema wants a report to match the schema of doctor, and to have no other members.
func wantDoctorSchema(t *testing.T, report string) {
	t.Helper()
	schema, err := schematest.Closed(doctor.Schema())
	require.NoError(t, err)
	assert.NoError(t, schema.Validate(report))
}

// TestProxyVariable also tries addresses of proxies that cannot be read: doctor --client names the
// mistake in them.
func TestProxyVariable(t *testing.T) {
	t.Parallel()
	environment := &httpproxy.Config{
		HTTPProxy:  "http://proxy.example:3128",
		HTTPSProxy: "http://proxy.example:3128",
		NoProxy:    "inside.example",
	}
	for address, want := range map[string]string{
		"https://mcp.example.com/mcp": "HTTPS_PROXY",
		"http://mcp.example.com/mcp":  "HTTP_PROXY",
		"https://inside.example/mcp":  "",
		"http://127.0.0.1:8000/mcp":   "",
		"ftp://mcp.example.com/":      "",
		"https://[":                   "",
	} {
		assert.Equal(t, want, proxyVariable(environment, address), address)
	}
	assert.Empty(t, proxyVariable(&httpproxy.Config{}, "https://mcp.example.com/mcp"))
	unreadable := &httpproxy.Config{HTTPSProxy: "http://user:pa ss@["}
	assert.Equal(t, "HTTPS_PROXY", proxyVariable(unreadable, "https://mcp.example.com/mcp"))
}

func TestDoctorPrintsItsSchema(t *testing.T) {
	t.Parallel()
	out, err := run(t, "doctor", "--schema")
	require.NoError(t, err)
	assert.JSONEq(t, string(doctor.Schema()), out)
	_, err = run(t, "doctor", "--schema", "https://mcp.example.com/mcp")
	require.ErrorContains(t, err, "no URL with --schema")
	assert.Equal(t, exitUsage, status(err))
}
