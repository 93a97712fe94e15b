package fakeentra_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

// MSAL for Python, where the machine has it (Debian: python3-msal).
func TestInteropMSALPython(t *testing.T) {
	t.Parallel()
	if os.Getenv("MCPENTRA_INTEROP") == "" {
		t.Skip("needs MSAL for Python: make interop runs this")
	}
	python := ""
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		if exec.CommandContext(t.Context(), name, "-c", "import msal").Run() == nil {
			python = name
			break
		}
	}
	if python == "" {
		require.NotEqual(t, "true", os.Getenv("CI"), "a Python with the module msal is missing (Debian: python3-msal)")
		t.Skip("needs a Python with the module msal (Debian: python3-msal)")
	}
	d, _, _ := directoryOfApps(t)
	fake := fakeentra.NewTLSServer(fakeentra.Config{Directory: d, AutoSignIn: true})
	t.Cleanup(fake.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, fake.CAPEM(), 0o600))
	assertion, err := fake.Mint(fakeentra.Token{API: middleTierID})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	script := exec.CommandContext(ctx, python, "../testdata/interop/fakeentra/msal-python.py")
	// The environment wins over the argument verify, and may be set here.
	script.Env = append(
		os.Environ(),
		"CA="+ca,
		"REQUESTS_CA_BUNDLE="+ca,
		"CURL_CA_BUNDLE=",
		"AUTHORITY="+fake.URL,
		"TENANT="+directory.DefaultTenantID,
		"CLIENT="+directory.DefaultClientID,
		"SECRET="+directory.DefaultClientSecret,
		"API="+directory.DefaultAPIID,
		"MIDDLE="+middleTierID,
		"ASSERTION="+assertion,
	)
	output, err := script.CombinedOutput()
	require.NoError(t, err, "%s", output)
	assert.Equal(t, 8, strings.Count(string(output), "ok "), "%s", output)
}
