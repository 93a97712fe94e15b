package chromium_test

import (
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra/useragent/chromium"
)

func TestBrowserLeavesNoFiles(t *testing.T) {
	folder, err := os.MkdirTemp("", "cr-") // t.TempDir is too long for a socket
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	t.Setenv("TMPDIR", folder)
	_, stop, err := chromium.Start(t.Context(), chromium.Config{})
	if errors.Is(err, chromium.ErrNotInstalled) && os.Getenv("CI") != "true" {
		t.Skip("needs Chromium: ", err)
	}
	require.NoError(t, err)
	stop()
	left, err := os.ReadDir(folder)
	require.NoError(t, err)
	assert.Empty(t, left)
}
