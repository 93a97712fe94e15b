package workstation_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/tokenstore"
)

// sessionKind is an environment variable. It tells the test that it runs within a session of its
// own.
const sessionKind = "WORKSTATION_TEST_SESSION"

// TestInteropSecretService examines GNOME Keyring on a session bus of its own: open, locked, and
// not started yet.
func TestInteropSecretService(t *testing.T) {
	t.Parallel()
	switch kind := os.Getenv(sessionKind); kind {
	case "open", "locked":
		examineKeyring(t, kind == "locked")
		return
	case "none":
		examineNoKeyring(t)
		return
	}
	for _, program := range []string{"dbus-run-session", "gnome-keyring-daemon"} {
		if _, err := exec.LookPath(program); err != nil {
			require.NotEqual(t, "true", os.Getenv("CI"), "%s is missing (Debian: dbus, gnome-keyring)", program)
			t.Skipf("needs %s (Debian: dbus, gnome-keyring)", program)
		}
	}
	const runTest = `exec "$0" -test.run '^TestInteropSecretService$'`
	const unlock = "printf password | gnome-keyring-daemon --unlock --components=secrets >/dev/null && "
	for kind, script := range map[string]string{
		"open":   unlock + runTest,
		"locked": unlock + runTest,
		"none":   runTest,
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			home := t.TempDir()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			session := exec.CommandContext(ctx, "dbus-run-session", "--", "sh", "-c", script, os.Args[0])
			session.Env = []string{
				"PATH=" + os.Getenv("PATH"),
				"HOME=" + home,
				"XDG_RUNTIME_DIR=" + home,
				"XDG_DATA_HOME=" + filepath.Join(home, "data"),
				"TMPDIR=" + home,
				sessionKind + "=" + kind,
			}
			session.WaitDelay = time.Second
			out, err := session.CombinedOutput()
			require.NoError(t, err, "%s", out)
		})
	}
}

const busVariable = "DBUS_SESSION_BUS_ADDRESS"

const (
	secrets      = "org.freedesktop.secrets"
	secretsPath  = dbus.ObjectPath("/org/freedesktop/secrets")
	loginKeyring = secretsPath + "/collection/login"
)

func examineKeyring(t *testing.T, lock bool) {
	// The client keeps its key in the keychain.
	_, err := tokenstore.OpenFile(filepath.Join(t.TempDir(), "tokens"), tokenstore.SystemKeychain())
	require.NoError(t, err)
	bus, err := dbus.Connect(os.Getenv(busVariable))
	require.NoError(t, err)
	t.Cleanup(func() { _ = bus.Close() })
	if lock {
		call := bus.Object(secrets, secretsPath).Call("org.freedesktop.Secret.Service.Lock", 0,
			[]dbus.ObjectPath{loginKeyring})
		require.NoError(t, call.Err)
	}
	e := newTestEnv(t)
	e.env[busVariable] = os.Getenv(busVariable)
	finding := e.examine().Steps[3].Findings[0]
	code := "keychain-open"
	if lock {
		code = "keychain-locked"
	}
	assert.Equal(t, code, finding.Code)
	assert.Contains(t, finding.Seen, "it holds the client's key")
	locked, err := bus.Object(secrets, loginKeyring).GetProperty("org.freedesktop.Secret.Collection.Locked")
	require.NoError(t, err)
	assert.Equal(t, lock, locked.Value(), "the examination unlocks nothing")
}

func examineNoKeyring(t *testing.T) {
	e := newTestEnv(t)
	e.env[busVariable] = os.Getenv(busVariable)
	finding := e.examine().Steps[3].Findings[0]
	assert.Contains(t, []string{"keychain-absent", "keychain-not-running"}, finding.Code)
	bus, err := dbus.Connect(os.Getenv(busVariable))
	require.NoError(t, err)
	t.Cleanup(func() { _ = bus.Close() })
	runs := true
	require.NoError(t, bus.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, secrets).Store(&runs))
	assert.False(t, runs, "the examination starts no service")
}
