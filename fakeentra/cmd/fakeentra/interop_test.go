package main

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
)

// A test in Node.js does through the admin API what a test in Go does with the methods of the fake.
func TestInteropAdmin(t *testing.T) {
	t.Parallel()
	if os.Getenv("MCPENTRA_INTEROP") == "" {
		t.Skip("needs Node.js: make interop runs this")
	}
	script, err := filepath.Abs("../../../testdata/interop/admin/admin.mjs")
	require.NoError(t, err)
	fake := start(t, "--addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0", "--auto-sign-in", "--quiet")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	node := exec.CommandContext(ctx, "node", script)
	node.Env = append(os.Environ(), "FAKE="+fake.URL, "ADMIN="+adminOf(t, fake))
	output, err := node.CombinedOutput()
	require.NoError(t, err, "%s", output)
	assert.Equal(t, 11, strings.Count(string(output), "ok "), "%s", output)
	assert.Empty(t, fake.interrupt(t))
}
