package main_test

import (
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra/useragent"
	"mcpentra/server/internal/engine"
)

// run runs the program with the settings of the replicas, and returns its output.
func (r *replicas) run(t *testing.T, arguments ...string) string {
	t.Helper()
	program := exec.Command(filepath.Join(programs, "mcp-entra-server"), arguments...)
	program.Dir = t.TempDir()
	program.Env = append([]string{"HOME=" + program.Dir}, r.settings...)
	output, err := program.CombinedOutput()
	require.NoError(t, err, "%s", output)
	return string(output)
}

// useStore gives the replicas that start from now on another store.
func (r *replicas) useStore(storeURL string) {
	for i, setting := range r.settings {
		if strings.HasPrefix(setting, "STORE_URL=") {
			r.settings[i] = "STORE_URL=" + storeURL
		}
	}
	r.addresses = nil
}

// refusedSoon calls each replica until it refuses a token, for at most two seconds.
func (r *replicas) refusedSoon(t *testing.T, client oauthClient, token string) {
	t.Helper()
	since := time.Now()
	for _, address := range r.addresses {
		for status := 0; status != http.StatusUnauthorized; {
			sent := time.Since(since)
			var err error
			status, err = client.at(address).call(t.Context(), token)
			require.NoError(t, err)
			isInTime := status == http.StatusUnauthorized || sent < 2*time.Second
			require.True(t, isInTime, "a call after %v: %d", sent, status)
		}
	}
}

// TestMoveToPostgres moves a signed-in person from a file to PostgreSQL. There, commands change the
// signing key and end all sign-ins while two replicas run.
func TestMoveToPostgres(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	r := newReplicas(t, "file:"+filepath.Join(folder, "grants.db"))
	toFirst := func(*http.Request) int { return 0 }
	r.pick.Store(&toFirst)
	client := r.client
	var got answer
	t.Run("file", func(t *testing.T) {
		r.start(t)
		client.register(t)
		got = signIn(t, client)
	})
	export := filepath.Join(folder, "grants.export")
	r.run(t, "store", "export", export)
	r.useStore(engine.Postgres(t))
	r.run(t, "store", "import", export)
	assert.Contains(t, r.run(t, "store", "check"), "grant          1\n")
	r.start(t)
	r.start(t)
	refreshAt := func(replica int) {
		t.Helper()
		next, err := client.at(r.addresses[replica]).refresh(t.Context(), got.RefreshToken)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, next.Status, next.Error)
		got = next
	}
	status, err := client.at(r.addresses[0]).call(t.Context(), got.AccessToken)
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, status, "the token of the server before")
	refreshAt(1)

	r.run(t, "keys", "rotate-signing", "--emergency")
	r.refusedSoon(t, client, got.AccessToken)
	refreshAt(0)
	refreshAt(1)
	status, err = client.at(r.addresses[0]).call(t.Context(), got.AccessToken)
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, status)

	r.run(t, "store", "restored")
	r.refusedSoon(t, client, got.AccessToken)
	refused, err := client.at(r.addresses[1]).refresh(t.Context(), got.RefreshToken)
	require.NoError(t, err)
	assert.Equal(t, "invalid_grant", refused.Error)
	signIn(t, client)
}

// signIn signs a person in.
func signIn(t *testing.T, client oauthClient) answer {
	t.Helper()
	code, redirect, err := client.authorize(t.Context(), &useragent.Browser{})
	require.NoError(t, err)
	got, err := client.redeem(t.Context(), code, redirect)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, got.Status, got.Error)
	return got
}
