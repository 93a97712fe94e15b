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

	"mcpentra/client/tokenstore"
)

// sessionKind is an environment variable. It tells the test that it runs within a session of its
// own, with an open or a closed keyring.
const sessionKind = "TOKENSTORE_TEST_SESSION"

// TestInteropSecretService keeps the encryption key in GNOME Keyring, on a session bus of its own.
// In the session "closed", there is no desktop on which the keyring could ask for its password.
func TestInteropSecretService(t *testing.T) {
	t.Parallel()
	switch os.Getenv(sessionKind) {
	case "open":
		useOpenKeyring(t)
		return
	case "closed":
		useClosedKeyring(t)
		return
	}
	for _, program := range []string{"dbus-run-session", "gnome-keyring-daemon"} {
		if _, err := exec.LookPath(program); err != nil {
			require.NotEqual(t, "true", os.Getenv("CI"), "%s is missing (Debian: dbus, gnome-keyring)", program)
			t.Skipf("needs %s (Debian: dbus, gnome-keyring)", program)
		}
	}
	const runTest = `exec "$0" -test.run '^TestInteropSecretService$'`
	for _, c := range []struct{ kind, script string }{
		{"open", "printf password | gnome-keyring-daemon --unlock --components=secrets >/dev/null && " + runTest},
		{"closed", runTest},
	} {
		t.Run(c.kind, func(t *testing.T) {
			t.Parallel()
			home := t.TempDir()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			session := exec.CommandContext(ctx, "dbus-run-session", "--", "sh", "-c", c.script, os.Args[0])
			session.Env = []string{
				"PATH=" + os.Getenv("PATH"),
				"HOME=" + home,
				"XDG_RUNTIME_DIR=" + home,
				"XDG_DATA_HOME=" + filepath.Join(home, "data"),
				"TMPDIR=" + home,
				sessionKind + "=" + c.kind,
			}
			session.WaitDelay = time.Second
			out, err := session.CombinedOutput()
			require.NoError(t, err, "%s", out)
		})
	}
}

func useOpenKeyring(t *testing.T) {
	keychain := tokenstore.SystemKeychain()
	_, err := keychain.Get()
	require.ErrorIs(t, err, tokenstore.ErrNoSecret)
	folder := filepath.Join(t.TempDir(), "tokens")
	for range 2 {
		tokens := openFile(t, folder, keychain)
		assert.Equal(t, "the system's keychain", tokens.EncryptionKeyLocation())
		require.NoError(t, tokens.Save(t.Context(), mcpKey, recordOf("secret-access")))
		record, err := tokens.Load(t.Context(), mcpKey)
		require.NoError(t, err)
		assert.Equal(t, recordOf("secret-access"), record)
	}
	assert.NoFileExists(t, filepath.Join(folder, "key"))
	keys, err := openFile(t, folder, nil).Keys(t.Context())
	require.NoError(t, err)
	assert.Empty(t, keys, "the records need the key in the keychain")
}

func useClosedKeyring(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "tokens")
	tokens := openFile(t, folder, tokenstore.SystemKeychain())
	assert.Equal(t, "the file "+filepath.Join(folder, "key"), tokens.EncryptionKeyLocation())
}
