package tokenstore_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/tokenrequest"
	"mcpentra/client/tokenstore"
)

// sessionKind tells the test that it runs within a session of its own, and of which kind.
const sessionKind = "TOKENSTORE_TEST_SESSION"

// TestInteropSecretService keeps the key in GNOME Keyring, on a session bus of the test's own: once
// where the keyring is open, and once where it is not and nobody could be asked to open it.
func TestInteropSecretService(t *testing.T) {
	t.Parallel()
	switch os.Getenv(sessionKind) {
	case "open":
		withOpenKeyring(t)
		return
	case "closed":
		withClosedKeyring(t)
		return
	}
	for _, program := range []string{"dbus-run-session", "gnome-keyring-daemon"} {
		if _, err := exec.LookPath(program); err != nil {
			require.NotEqual(t, "true", os.Getenv("CI"), "%s is missing (Debian: dbus, gnome-keyring)", program)
			t.Skipf("needs %s (Debian: dbus, gnome-keyring)", program)
		}
	}
	for kind, script := range map[string]string{
		"open":   `printf password | gnome-keyring-daemon --unlock --components=secrets >/dev/null && exec "$0" -test.run '^TestInteropSecretService$'`,
		"closed": `exec "$0" -test.run '^TestInteropSecretService$'`,
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			home := t.TempDir()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			session := exec.CommandContext(ctx, "dbus-run-session", "--", "sh", "-c", script, os.Args[0])
			session.Env = []string{
				"PATH=" + os.Getenv(
					"PATH",
				), "HOME=" + home, "XDG_RUNTIME_DIR=" + home, "XDG_DATA_HOME=" + filepath.Join(home, "data"), "TMPDIR=" + home, sessionKind + "=" + kind,
			}
			session.WaitDelay = time.Second
			out, err := session.CombinedOutput()
			require.NoError(t, err, "%s", out)
		})
	}
}

func withOpenKeyring(t *testing.T) {
	keychain := tokenstore.SystemKeychain()
	_, err := keychain.Get()
	require.ErrorIs(t, err, tokenstore.ErrNoSecret)
	folder := filepath.Join(t.TempDir(), "tokens")
	record := tokenstore.Record{}
	record.Put("https://login.example.com", tokenstore.Entry{Token: tokenrequest.Token{Access: "secret-access"}})
	for range 2 {
		opened, err := tokenstore.OpenFile(folder, keychain)
		require.NoError(t, err)
		assert.Equal(t, "the system's keychain", opened.KeyLocation())
		require.NoError(t, opened.Save(t.Context(), place, record))
		record, err = opened.Load(t.Context(), place)
		require.NoError(t, err)
		assert.Equal(t, "secret-access", record.Entries["https://login.example.com"].Token.Access)
	}
	assert.NoFileExists(t, filepath.Join(folder, "key"))
	alone, err := tokenstore.OpenFile(folder, nil)
	require.NoError(t, err)
	found, err := alone.Places(t.Context())
	require.NoError(t, err)
	assert.Empty(t, found, "without the keychain nothing can be read")
}

func withClosedKeyring(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "tokens")
	opened, err := tokenstore.OpenFile(folder, tokenstore.SystemKeychain())
	require.NoError(t, err)
	assert.Equal(t, "the file "+filepath.Join(folder, "key"), opened.KeyLocation())
}
