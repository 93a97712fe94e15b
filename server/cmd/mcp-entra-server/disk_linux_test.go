package main_test

import (
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	running "mcpentra/server/internal/programs"
)

// mountDisk mounts a small disk in memory. It skips the test for a user who may not mount.
func mountDisk(t *testing.T, size string) string {
	folder := t.TempDir()
	err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "mode=0700,size="+size)
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		t.Skip("only root can mount a small disk")
	}
	require.NoError(t, err)
	t.Cleanup(func() { _ = syscall.Unmount(folder, syscall.MNT_DETACH) })
	return folder
}

// fillDisk fills a disk with a file, and returns its name.
func fillDisk(t *testing.T, folder string) string {
	name := filepath.Join(folder, "ballast")
	file, err := os.Create(name)
	require.NoError(t, err)
	defer file.Close()
	for size := 64 << 10; size > 0; size /= 2 {
		for err = nil; err == nil; {
			_, err = file.Write(make([]byte, size))
		}
	}
	require.ErrorIs(t, err, syscall.ENOSPC)
	return name
}

// TestFullDisk fills the disk of a running server. The server says so, and continues when
// there is space again.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	folder := mountDisk(t, "4m")
	pair := running.New(t, programs, folder)
	pair.Start()
	p := newPerson(t, pair)
	status, err := p.register()
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, status)
	got, status, err := p.redeem(p.signIn(t.Context()))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status)

	ballast := fillDisk(t, folder)
	// The log of the store may have room for some records.
	for status = http.StatusOK; status == http.StatusOK; {
		next, refused, err := p.refresh(got.Refresh)
		require.NoError(t, err)
		status = refused
		if status == http.StatusOK {
			got = next
		}
	}
	assert.Equal(t, http.StatusServiceUnavailable, status)
	other := newPerson(t, pair)
	status, err = other.register()
	require.NoError(t, err)
	assert.Equal(t, http.StatusServiceUnavailable, status)
	assert.Contains(t, pair.Log(), pair.Store)
	assert.Contains(t, pair.Log(), "its disk is full: free some space there, and the server continues")

	require.NoError(t, os.Remove(ballast))
	_, status, err = p.refresh(got.Refresh)
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, status, "the grant is not lost")
	status, err = other.register()
	require.NoError(t, err)
	assert.Equal(t, http.StatusCreated, status)
	_, status, err = other.redeem(other.signIn(t.Context()))
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, status)
}

// TestReadOnlyDisk starts a server whose disk is mounted read-only.
func TestReadOnlyDisk(t *testing.T) {
	t.Parallel()
	folder := mountDisk(t, "4m")
	pair := running.New(t, programs, folder)
	pair.Start()
	pair.Stop()
	require.NoError(t, syscall.Mount("", folder, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	start := exec.CommandContext(t.Context(), filepath.Join(programs, "mcp-entra-server"), "--addr", "localhost:0")
	start.Env = []string{
		"HOME=" + t.TempDir(),
		"AUTH_TENANT_ID=11111111-1111-1111-1111-111111111111",
		"AUTH_CLIENT_ID=22222222-2222-2222-2222-222222222222",
		"AUTH_CLIENT_SECRET=secret",
		"STORE_URL=file:" + pair.Store,
		"MCP_KEYS_FILE=" + pair.Keys,
	}
	start.Dir = t.TempDir()
	output, err := start.CombinedOutput()
	assert.Error(t, err)
	assert.Contains(t, string(output), pair.Store)
	assert.Contains(t, string(output), "it cannot be written: make its disk and folder writable for this user")
}
